"""A model over rows: forward passes, margins, gradients, and the digest of its weights.

The ground that methods, attacks and evaluation stand on. Nothing here changes a weight for good.
"""

"""Table rows as tensors, a chunk at a time, in an order that is always the same.

It reads tables and holdout rows for training, unlearning and measuring; it writes nothing.
"""

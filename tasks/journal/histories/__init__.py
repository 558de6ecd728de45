"""Streams folded: what is known of a model, a batch or a request after all that happened to it.

Each kind of stream is folded here and nowhere else. Whoever asks what a model forgot, what a batch
erased, or who approved it, asks a history.
"""

from hand_made_batch import batch, erased

__all__ = ["batch", "erased"]

"""Training from fresh weights, with the gradient restriction, resumable by checkpoints."""

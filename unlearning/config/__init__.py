"""Every option of unlearning, gate, budget and approval, with its default and its limits.

Plain frozen values that refuse what cannot be. No torch.
"""

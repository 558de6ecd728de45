"""The identity of a model: a digest of its weights."""

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor


def model_digest(state: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes of a state dict, in name order.

    Our choice: it names the weights alone, so the same weights in another container compare equal.
    Cost: one pass over the weights.
    """
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def same_values(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> list[str]:
    """Names, in order, of floating-point tensors that two states share bit for bit.

    Empty tensors do not count. Cost: one pass over the weights.
    """
    shared = sorted(one.keys() & other.keys())
    return [
        name
        for name in shared
        if one[name].is_floating_point()
        and one[name].dtype == other[name].dtype
        and one[name].numel()
        and torch.equal(one[name].detach().cpu(), other[name].detach().cpu())
    ]

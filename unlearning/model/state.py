"""Parameters and buffers outside of their model, in the precision that a purpose needs."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

_SINGLE_BITS = 32


def forward_state(model: nn.Module, device: str, *, wide: bool = False) -> dict[str, Tensor]:
    """Parameters and cloned buffers on the device, cut loose from the model's own autograd.

    Buffers are cloned because a layer may write to them during a forward pass; parameters share
    memory with the model where they already lie on the device. With `wide`, half precision becomes
    float32: for gradients and small steps, not to say what the model says.
    """
    parameters = {name: value.detach().to(device) for name, value in model.named_parameters()}
    buffers = {name: value.detach().clone().to(device) for name, value in model.named_buffers()}
    state = parameters | buffers
    return {name: widened(value) for name, value in state.items()} if wide else state


def widened(value: Tensor) -> Tensor:
    """The numbers in float32 if they have less than its precision; else the tensor itself."""
    is_half = value.is_floating_point() and torch.finfo(value.dtype).bits < _SINGLE_BITS
    return value.float() if is_half else value


def in_own_types(state: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """The state with each of its tensors in the type that the model keeps it in."""
    kinds = {name: value.dtype for name, value in model.state_dict().items()}
    return {name: value.to(kinds.get(name, value.dtype)) for name, value in state.items()}

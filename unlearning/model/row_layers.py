"""Layers whose weights have gradients that are known from what goes in and what comes back.

Letters: B rows, T places of a row at which a layer works, O outputs and I inputs at each.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeGuard, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import unfold

_FLAT = 2  # rows and features
_IMAGES = 4  # rows, channels and two sides


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A fully connected layer or a convolution, and zeros like its outputs for one row."""

    module: nn.Linear | nn.Conv2d
    zeros: Tensor  # [1, ...]

    @property
    def places(self) -> int:
        """T."""
        return self.zeros.numel() // len(self.module.weight)

    @property
    def numbers(self) -> int:
        """Numbers that the factors of one row hold: T (O + I)."""
        return self.places * (len(self.module.weight) + self.module.weight[0].numel())

    @property
    def is_worth_it(self) -> bool:
        """Whether inner products cost less by factors, T^2 (O + I), than by weights, O I."""
        return self.places * self.numbers <= self.module.weight.numel()

    def factors(self, back: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """[B, T, O] and [B, T, I], whose outer products add up over T to the weights' gradients.

        Given the gradients of the layer's outputs and its inputs, with B in front.
        """
        if isinstance(self.module, nn.Linear):
            return back.reshape(len(back), -1, back.shape[-1]), inputs.reshape(
                len(inputs), -1, inputs.shape[-1]
            )
        places = unfold(
            inputs,
            self.module.kernel_size,
            dilation=self.module.dilation,
            padding=cast("tuple[int, int]", self.module.padding),
            stride=self.module.stride,
        )
        return back.flatten(2).transpose(1, 2), places.transpose(1, 2)


def row_layers(
    model: nn.Module, state: Mapping[str, Tensor], names: Sequence[str], row: Tensor
) -> dict[str, Layer]:
    """The layers for which it is worth it, by the name of their weights.

    Tried on one row [1, ...]: not among them is a layer that is called twice, or sees the row in
    another shape than with the row dimension in front. Whether weights are used elsewhere as well
    does not show here.
    """
    modules = {
        f"{name}.weight": module
        for name, module in cast("Iterator[tuple[str, nn.Module]]", model.named_modules())
        if _is_plain(module) and f"{name}.weight" in names
    }
    outputs_of: dict[str, Tensor] = {}

    def note(name: str, outputs: Tensor) -> Tensor:
        outputs_of[name] = torch.zeros_like(outputs)
        return outputs_of[name]

    with torch.no_grad(), watched(modules, note) as inputs_of:
        functional_call(model, dict(state), (row,))
    layers = {
        name: Layer(modules[name], outputs_of[name])
        for name, calls in inputs_of.items()
        if len(calls) == 1 and all(_has_row(modules[name], v) for v in (*calls, outputs_of[name]))
    }
    return {name: layer for name, layer in layers.items() if layer.is_worth_it}


def _has_row(module: nn.Module, value: Tensor | None) -> bool:
    """Whether what goes into the layer or comes out of it has the row dimension in front."""
    if value is None or value.shape[:1] != (1,):
        return False
    return value.ndim == _IMAGES if isinstance(module, nn.Conv2d) else value.ndim >= _FLAT


def _is_plain(module: nn.Module) -> TypeGuard[nn.Linear | nn.Conv2d]:
    """Whether factors are known for the kind of module; not for kinds made from those."""
    if type(module) is nn.Linear:
        return True
    return (
        type(module) is nn.Conv2d
        and module.groups == 1
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
    )


@contextmanager
def watched(
    modules: Mapping[str, nn.Module], shift: Callable[[str, Tensor], Tensor]
) -> Generator[dict[str, list[Tensor | None]]]:
    """A block in which the outputs of layers are shifted; their inputs are noted, call by call.

    The gradient of a shift of zero is that of the outputs. Inputs given by name are not seen.
    """
    inputs_of: dict[str, list[Tensor | None]] = {}

    def hook(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor]:
        def note(_: nn.Module, arguments: tuple[Tensor, ...], outputs: Tensor) -> Tensor:
            inputs_of.setdefault(name, []).append(arguments[0] if arguments else None)
            return outputs + shift(name, outputs)

        return note

    handles = [module.register_forward_hook(hook(name)) for name, module in modules.items()]
    try:
        yield inputs_of
    finally:
        for handle in handles:
            handle.remove()

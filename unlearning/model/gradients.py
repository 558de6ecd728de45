"""The mean loss gradient over any number of rows in constant memory.

Letters: N rows, B rows in a chunk, C classes; L_mean the mean cross-entropy loss.
"""

from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from math import isfinite

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from unlearning.config.unlearning_config import Precision
from unlearning.errors import DivergenceError, UnfitRowsError
from unlearning.model.forward import autocast, fixed_mode, logits, trainable_names
from unlearning.model.rows import Rows, read_chunks
from unlearning.model.state import forward_state


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gradient:
    """The gradient of a mean loss over a set of rows."""

    values: dict[str, Tensor]
    """For each trainable parameter a float64 tensor of its shape, on the CPU."""
    row_count: int
    """Rows in the mean."""
    mean_loss: float
    """Mean cross-entropy loss of these rows, in nats."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GradientSum:
    """The gradient of a summed loss over a part of the rows; parts can be added."""

    values: dict[str, Tensor]
    """For each trainable parameter a float64 tensor of its shape, on the CPU."""
    row_count: int
    """Rows in the sum; a part may be empty."""
    total_loss: float
    """Sum of the cross-entropy losses of these rows, in nats."""


def mean_gradient(
    model: nn.Module,
    rows: Rows,
    *,
    chunk_size: int,
    device: str = "cpu",
    precision: Precision = "float32",
) -> Gradient:
    """The gradient of the mean cross-entropy loss over all rows.

    Formula: ∇L_mean(θ) = (1/N) sum_i ∇ce(f_θ(x_i), y_i), in evaluation mode.

    Chunk sums are added in float64 in the order of the rows: the same chunk size gives the same
    bits on the CPU, another one the same numbers within rounding. One pass over the rows; memory
    for one chunk and two copies of the parameters. The model is left exactly as it was.

    Raises:
        DataError: there are no rows, or a label is not a class of the model.
        UnsupportedModelError: the model has no trainable parameter or no plain class scores.
        DivergenceError: a loss or a gradient is not finite.
    """
    return mean_of(
        gradient_sum(model, rows, chunk_size=chunk_size, device=device, precision=precision)
    )


def gradient_sum(
    model: nn.Module, rows: Rows, *, chunk_size: int, device: str, precision: Precision
) -> GradientSum:
    """The gradient of the summed loss: all of `mean_gradient` but the division; zeros for no rows.

    Raises:
        DataError: a label is not a class of the model, or the source is broken.
        UnsupportedModelError: the model has no trainable parameter or no plain class scores.
    """
    state = forward_state(model, device, wide=True)
    leaves = {name: state[name].requires_grad_() for name in trainable_names(model)}
    sums: dict[str, Tensor] = {}
    total, count = 0.0, 0
    with (
        fixed_mode(model),
        torch.enable_grad(),
        autocast(device, "float32"),
        closing(_chunks(rows, chunk_size, device)) as chunks,
    ):
        for inputs, labels in chunks:
            with autocast(device, precision):
                scores = logits(model, state, inputs, labels)
            # float64: confident rows have losses below what float32 can tell from 0
            loss = cross_entropy(scores.double(), labels, reduction="sum")
            parts = torch.autograd.grad(loss, list(leaves.values()), materialize_grads=True)
            for name, part in zip(leaves, parts, strict=True):
                sums[name] = sums[name].add_(part) if name in sums else part.double()
            total += float(loss.detach())
            count += labels.shape[0]
    if not count:
        sums = {name: torch.zeros_like(leaf, dtype=torch.float64) for name, leaf in leaves.items()}
    values = {name: total.detach().cpu() for name, total in sums.items()}
    return GradientSum(values=values, row_count=count, total_loss=total)


def mean_of(part: GradientSum) -> Gradient:
    """The mean gradient that a sum over all rows makes.

    Raises:
        UnfitRowsError: there are no rows in it.
        DivergenceError: a loss or a gradient is not finite.
    """
    count = part.row_count
    if count < 1:
        raise UnfitRowsError("The row set is empty; check the split that made it.")
    values = {name: total / count for name, total in part.values.items()}
    return checked_gradient(
        Gradient(values=values, row_count=count, mean_loss=part.total_loss / count)
    )


def _chunks(rows: Rows, size: int, device: str) -> Generator[tuple[Tensor, Tensor]]:
    if rows.count:
        yield from read_chunks(rows, size, device)


def checked_gradient(gradient: Gradient) -> Gradient:
    """The gradient itself.

    Raises:
        DivergenceError: its loss or one of its values is not finite.
    """
    if not (isfinite(gradient.mean_loss) and is_finite(gradient.values)):
        raise DivergenceError(
            f"The mean loss or gradient of {gradient.row_count} rows is not finite; "
            "look for extreme inputs, or retrain the model."
        )
    return gradient


def is_finite(values: Mapping[str, Tensor]) -> bool:
    """Whether every number of every tensor is finite."""
    return all(_is_finite(value) for value in values.values())


def _is_finite(value: Tensor) -> bool:
    # A sum is finite only if all its terms are, and several times faster than to look at each;
    # finite terms whose sum overflows are looked at.
    return isfinite(float(value.detach().sum())) or bool(value.isfinite().all())

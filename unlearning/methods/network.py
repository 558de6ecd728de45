"""A model as a function of a state of its own, and the mini-batches that move that state."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import isfinite
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from unlearning.errors import DivergenceError
from unlearning.methods.problem import UnlearningProblem, model_state
from unlearning.model.forward import fixed_mode, logits, trainable_names
from unlearning.model.margins import margin
from unlearning.model.rows import Rows, TensorRows
from unlearning.model.scores import Scores, scores_under
from unlearning.model.state import forward_state

REACH = 0.1
"""Length of the longest step that is trusted, as a share of the length of all parameters."""

_LEAST_LENGTH = 1e-3
"""Taken for the length of parameters that are all but zero."""

_DIVERGED = (
    "The update diverged: {}; lower the relaxation, raise the damping, or retrain the model."
)


class Network:
    """The model as a function of a state of its own; the model itself is never written to."""

    def __init__(self, model: nn.Module, device: str, chunk_size: int) -> None:
        self.model = model
        self.device = device
        self.chunk_size = chunk_size
        self.state = forward_state(model, device, wide=True)
        self.names = trainable_names(model)
        for name in self.names:
            self.state[name] = self.state[name].clone().requires_grad_()

    def scores(self, rows: TensorRows, index: Tensor) -> Tensor:
        """Class scores of some rows, with gradient."""
        inputs, labels = rows.inputs[index].to(self.device), rows.labels[index]
        return logits(self.model, self.state, inputs, labels)

    def read(self, rows: Rows) -> Scores:
        """What it says of all rows, chunk by chunk; on the CPU, without gradient."""
        return scores_under(
            self.model, self.state, rows, chunk_size=self.chunk_size, device=self.device
        )

    def parameters(self) -> list[Tensor]:
        """The tensors that training moved."""
        return [self.state[name] for name in self.names]

    @property
    def length(self) -> float:
        """The Euclidean length of all parameters together."""
        return max(self.length_of([v.detach() for v in self.parameters()]), _LEAST_LENGTH)

    @staticmethod
    def length_of(way: Sequence[Tensor]) -> float:
        """The Euclidean length of a direction."""
        return sum(float(part.square().sum()) for part in way) ** 0.5

    def batch_margins(
        self, inputs: Tensor, labels: Tensor, *, way: Sequence[Tensor] = (), length: float = 0.0
    ) -> Tensor:
        """Margins [B] of rows on the device, here or some length along a direction.

        Raises:
            DivergenceError: a margin is not finite.
        """
        there = {
            name: self.state[name].detach().clone().add_(part, alpha=length)
            for name, part in zip(self.names, way, strict=bool(way))
        }
        margins = margin(logits(self.model, {**self.state, **there}, inputs, labels), labels)
        if not bool(margins.isfinite().all()):
            raise DivergenceError(_DIVERGED.format("margins are no longer finite"))
        return margins

    def reset(self, values: Sequence[Tensor]) -> None:
        """Give the parameters these values."""
        with torch.no_grad():
            for value, old in zip(self.parameters(), values, strict=True):
                value.copy_(old)

    def move(self, way: Sequence[Tensor], *, length: float) -> None:
        """Add a direction times a length to the parameters, but never more than `REACH` of them.

        Raises:
            DivergenceError: the direction is not finite.
        """
        long = self.length_of(way)
        if not isfinite(long):
            raise DivergenceError(_DIVERGED.format("a step is not finite"))
        most = REACH * self.length / max(long, torch.finfo(torch.double).tiny)
        with torch.no_grad():
            for value, part in zip(self.parameters(), way, strict=True):
                value.add_(part, alpha=max(-most, min(most, length)))

    def loss(self, rows: TensorRows, index: Tensor) -> Tensor:
        """Mean cross-entropy loss of some rows, with gradient."""
        labels = rows.labels[index].to(self.device)
        return cross_entropy(self.scores(rows, index), labels)


def descended(
    problem: UnlearningProblem,
    network: Network,
    losses: Iterable[Callable[[], Tensor]],
    learning_rate: float,
) -> dict[str, Tensor]:
    """The state after one step of Adam down each loss, in evaluation mode."""
    # torch leaves a part of it without types.
    optimiser = cast("Any", torch.optim.Adam(network.parameters(), lr=learning_rate))
    with fixed_mode(problem.model), torch.enable_grad():
        for loss in losses:
            optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(loss())
            optimiser.step()
    return new_state(problem, network)


def new_state(problem: UnlearningProblem, network: Network) -> dict[str, Tensor]:
    """The whole state with the network's trainable parameters in it, on the CPU."""
    moved = {name: network.state[name].detach().cpu() for name in network.names}
    return model_state(problem.model) | moved


def epoch_batches(count: int, size: int, epochs: int, random: torch.Generator) -> Iterator[Tensor]:
    """Mini-batches of row numbers, shuffled anew in each of the epochs."""
    for _ in range(epochs):
        yield from torch.split(torch.randperm(count, generator=random), size)


def endless_batches(count: int, size: int, random: torch.Generator) -> Iterator[Tensor]:
    """Mini-batches of row numbers without end, shuffled anew in each pass."""
    while True:
        yield from epoch_batches(count, size, 1, random)

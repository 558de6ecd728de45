"""What a model says of every row of a set: the one pass over rows that reads scores.

Letters: N rows, C classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from unlearning.errors import DivergenceError
from unlearning.model.forward import fixed_mode, logits
from unlearning.model.margins import margin
from unlearning.model.rows import Rows, read_chunks
from unlearning.model.state import forward_state


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Class scores of every row of a set, on the CPU."""

    values: Tensor
    """[N, C], before the softmax; float64 where `read_scores` read them."""
    labels: Tensor
    """int64 [N]."""

    @property
    def margins(self) -> Tensor:
        """The margin of each row's label [N] (see `unlearning.model.margins.margin`)."""
        return margin(self.values, self.labels)

    @property
    def probabilities(self) -> Tensor:
        """Class probabilities [N, C]."""
        return self.values.softmax(1)

    @property
    def losses(self) -> Tensor:
        """Cross-entropy loss of each row [N], in nats."""
        return cross_entropy(self.values, self.labels, reduction="none")

    @property
    def hits(self) -> Tensor:
        """Whether each row's highest score is its label, bool [N]."""
        return self.values.argmax(1) == self.labels

    @property
    def mean_loss(self) -> float:
        """Mean cross-entropy loss, in nats."""
        return float(self.losses.mean())

    @property
    def accuracy(self) -> float:
        """Share of rows whose highest score is their label, 0 to 1."""
        return float(self.hits.double().mean())


def read_scores(model: nn.Module, rows: Rows, *, chunk_size: int, device: str = "cpu") -> Scores:
    """Scores of all rows in evaluation mode; the model is left exactly as it was.

    In float64: a float32 loss of confident rows is 0 for all of them, which blinds an attack. Cost:
    one forward pass; memory for a chunk and the scores.

    Raises:
        DataError: there are no rows, or a label is not a class of the model.
        UnsupportedModelError: the model does not give plain class scores.
        DivergenceError: a score is not finite.
    """
    state = forward_state(model, device)
    with fixed_mode(model):
        scores = scores_under(
            model, state, rows, chunk_size=chunk_size, device=device, dtype=torch.double
        )
    if not bool(scores.values.isfinite().all()):
        raise DivergenceError(
            "A score of at least one row is not finite; look for extreme inputs or broken weights."
        )
    return scores


def scores_under(
    model: nn.Module,
    state: Mapping[str, Tensor],
    rows: Rows,
    *,
    chunk_size: int,
    device: str,
    dtype: torch.dtype | None = None,
) -> Scores:
    """Scores of all rows under a state that lies on the device, without gradient.

    For the caller are the mode of the model and scores that are not finite.

    Args:
        model: The form; its own parameters and buffers are not used.
        state: The parameters and buffers.
        rows: The rows.
        chunk_size: Rows in memory at a time.
        device: Where the pass runs; the scores come to the CPU.
        dtype: The type to keep scores in; None keeps that of the model.

    Raises:
        DataError, UnsupportedModelError: as `read_scores`.
    """
    parts: list[tuple[Tensor, Tensor]] = []
    with torch.no_grad():
        for inputs, labels in read_chunks(rows, chunk_size, device):
            scores = logits(model, state, inputs, labels)
            parts.append((scores.to(dtype or scores.dtype).cpu(), labels.cpu()))
    values, labels = (torch.cat(part) for part in zip(*parts, strict=True))
    return Scores(values, labels)

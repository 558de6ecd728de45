"""What a model says of every row of a set: the one pass that all evidence is computed from.

Letters: N rows, C classes.
"""

# pyright: reportUnknownMemberType=false
# (torch 2.13 leaves some of its functions without types)

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from unlearning.errors import DivergenceError
from unlearning.model.forward import fixed_mode, forward_state, logits
from unlearning.model.losses import SetScores
from unlearning.model.margins import margin
from unlearning.model.rows import Rows, read_chunks


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Class scores of every row of a set, on the CPU."""

    values: Tensor
    """float64 [N, C], before the softmax."""
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

    def summary(self) -> SetScores:
        """Mean loss and accuracy, and the loss of each row."""
        losses = self.losses
        return SetScores(
            row_count=len(self.labels),
            mean_loss=float(losses.mean()),
            accuracy=float(self.hits.double().mean()),
            losses=losses,
        )


def read_scores(model: nn.Module, rows: Rows, *, chunk_size: int, device: str = "cpu") -> Scores:
    """Scores of all rows; one pass in evaluation mode, memory for a chunk and the scores.

    Raises:
        DataError: there are no rows, or a label is not a class of the model.
        UnsupportedModelError: the model does not give plain class scores.
        DivergenceError: a score is not finite.
    """
    state = forward_state(model, device)
    parts: list[tuple[Tensor, Tensor]] = []
    with fixed_mode(model), torch.no_grad():
        for inputs, labels in read_chunks(rows, chunk_size, device):
            scores = logits(model, state, inputs, labels).double()
            parts.append((scores.cpu(), labels.cpu()))
    values, labels = (torch.cat(part) for part in zip(*parts, strict=True))
    if not bool(values.isfinite().all()):
        raise DivergenceError(
            "A score of at least one row is not finite; look for extreme inputs or broken weights."
        )
    return Scores(values, labels)

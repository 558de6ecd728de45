"""Losses and hits of a model, row by row or over a whole set.

Letters: N rows, B rows in a chunk.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from unlearning.errors import DivergenceError, EvidenceError
from unlearning.model.forward import fixed_mode, forward_state, logits
from unlearning.model.rows import Rows, read_chunks


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SetScores:
    """How a model does on one set of rows."""

    row_count: int
    """Rows in the set."""
    mean_loss: float
    """Mean cross-entropy loss, in nats."""
    accuracy: float
    """Share of rows whose highest score is their label, 0 to 1."""
    losses: Tensor | None
    """Loss of each row, float64 [N] on the CPU; None if not asked for."""

    def kept_losses(self) -> Tensor:
        """The loss of each row [N].

        Raises:
            EvidenceError: they were not asked for.
        """
        if self.losses is None:
            raise EvidenceError("Row losses were not kept; score the rows with keep_losses=True.")
        return self.losses


def score_rows(
    model: nn.Module, rows: Rows, *, chunk_size: int, device: str = "cpu", keep_losses: bool = False
) -> SetScores:
    """Mean loss and accuracy over the rows, and on request each row's loss.

    One pass in evaluation mode; constant memory, plus 8 bytes for each row if losses are kept.

    Raises:
        DataError: there are no rows, or a label is not a class of the model.
        UnsupportedModelError: the model does not give plain class scores.
        DivergenceError: a loss is not finite.
    """
    state = forward_state(model, device)
    kept: list[Tensor] = []
    total, hits, count = 0.0, 0, 0
    with fixed_mode(model), torch.no_grad():
        for inputs, labels in read_chunks(rows, chunk_size, device):
            scores = logits(model, state, inputs, labels)
            losses = _checked_losses(scores, labels)
            total += float(losses.sum())
            hits += int((scores.argmax(dim=1) == labels).sum())
            count += labels.shape[0]
            if keep_losses:
                kept.append(losses.cpu())
    return SetScores(
        row_count=count,
        mean_loss=total / count,
        accuracy=hits / count,
        losses=torch.cat(kept) if keep_losses else None,
    )


def mean_loss(model: nn.Module, rows: Rows, *, chunk_size: int, device: str = "cpu") -> float:
    """The mean cross-entropy loss over the rows, in nats; raises as `score_rows`."""
    return score_rows(model, rows, chunk_size=chunk_size, device=device).mean_loss


def per_row_loss(model: nn.Module, rows: Rows, *, chunk_size: int, device: str = "cpu") -> Tensor:
    """The cross-entropy loss of each row, float64 [N] on the CPU; raises as `score_rows`."""
    scores = score_rows(model, rows, chunk_size=chunk_size, device=device, keep_losses=True)
    return scores.kept_losses()


def _checked_losses(scores: Tensor, labels: Tensor) -> Tensor:
    # float64: a float32 loss of confident rows is 0 for all of them, which blinds the attack
    losses = cross_entropy(scores.double(), labels, reduction="none")  # [B]
    if not bool(losses.isfinite().all()):
        raise DivergenceError(
            "The loss of at least one row is not finite; look for extreme inputs or broken weights."
        )
    return losses

"""How much accuracy a candidate lost: what chance cannot explain of it, and what it could hide.

Letters: N rows, C classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import NormalDist

import torch
from torch import Tensor

from unlearning.errors import EvidenceError
from unlearning.evaluation.intervals import loss_bound
from unlearning.evidence.evidence import AccuracyLoss, SliceLoss
from unlearning.model.scores import Scores

_CONFIDENCE = 0.95


def accuracy_loss(before: Scores, after: Scores) -> AccuracyLoss:
    """The loss over all rows.

    Formula: mean d - 1.645 sd(d) / sqrt(N), d the hits before less the hits after, row by row: both
    models see the same rows, so only rows on which they differ make it uncertain. What could hide
    behind it is `unlearning.evaluation.intervals.loss_bound`.

    Raises:
        EvidenceError: the two were measured on different rows, or there are none.
    """
    return _loss(_lost_hits(before, after), _CONFIDENCE)


def worst_class_loss(before: Scores, after: Scores, *, min_rows: int) -> AccuracyLoss | None:
    """The loss of the class with the highest certain loss; None if no class has so many rows.

    The confidence is that of all classes together (Bonferroni), since the worst is picked. Raises
    as `accuracy_loss`.
    """
    lost = _lost_hits(before, after)
    counts = torch.bincount(before.labels)
    classes = [number for number in range(len(counts)) if int(counts[number]) >= min_rows]
    confidence = 1 - (1 - _CONFIDENCE) / max(len(classes), 1)
    losses = [_loss(lost[before.labels == number], confidence) for number in classes]
    return max(losses, key=lambda one: one.certain, default=None)


def worst_slice_loss(
    before: Scores, after: Scores, slices: Mapping[str, Sequence[str]], *, min_rows: int
) -> tuple[SliceLoss | None, int]:
    """The loss of the slice with the highest certain loss, and how many slices are too small.

    Confidence as in `worst_class_loss`, over the slices of all columns.

    Args:
        before: Of the original.
        after: Of the candidate.
        slices: The value of each row by slice column.
        min_rows: Rows of a slice that is judged.

    Raises:
        EvidenceError: as `accuracy_loss`, or a column has another number of values than rows.
    """
    lost = _lost_hits(before, after)
    found: list[tuple[str, str, Tensor]] = []
    for column, values in slices.items():
        if len(values) != len(lost):
            raise EvidenceError(
                f"The slice {column!r} has {len(values)} values for {len(lost)} rows; read the "
                "rows and their slices together."
            )
        for group in sorted(set(values)):
            mine = lost[torch.tensor([value == group for value in values])]
            found.append((column, group, mine))
    large = [one for one in found if len(one[2]) >= min_rows]
    confidence = 1 - (1 - _CONFIDENCE) / max(len(large), 1)
    losses = [
        SliceLoss(**asdict(_loss(mine, confidence)), column=column, group=group)
        for column, group, mine in large
    ]
    worst = max(losses, key=lambda one: one.certain, default=None)
    return worst, len(found) - len(large)


def matched_accuracy(unseen: Scores, labels: Tensor, *, min_rows: int) -> float:
    """Accuracy on unseen rows, weighted by class as the given labels are.

    Formula: sum over classes c of share of c among `labels` times accuracy on unseen rows of c. A
    class with fewer than `min_rows` unseen rows counts with the accuracy over all unseen rows.

    Args:
        unseen: Of the unseen rows.
        labels: Classes of the forget rows [M].
        min_rows: See above.

    Raises:
        EvidenceError: a side is empty.
    """
    if not len(labels) or not len(unseen.labels):
        raise EvidenceError("There are no rows to compare; check the forget and holdout sets.")
    hits, whole = unseen.hits.double(), float(unseen.hits.double().mean())
    counts = torch.bincount(labels)
    total = 0.0
    for number in range(len(counts)):
        peers = hits[unseen.labels == number]
        mine = float(peers.mean()) if len(peers) >= min_rows else whole
        total += int(counts[number]) * mine
    return total / len(labels)


def _lost_hits(before: Scores, after: Scores) -> Tensor:
    if not torch.equal(before.labels, after.labels) or not len(before.labels):
        raise EvidenceError(
            f"The original was measured on {len(before.labels)} rows and the candidate on "
            f"{len(after.labels)}, or on others; measure both on the same rows."
        )
    return before.hits.double() - after.hits.double()


def _loss(lost: Tensor, confidence: float) -> AccuracyLoss:
    count = len(lost)
    value = float(lost.mean())
    # At least one row's worth of doubt: no difference on few rows is no proof of none.
    spread = max(float(lost.std(correction=0)), count**-0.5) / count**0.5
    doubt = NormalDist().inv_cdf(confidence) * spread
    gained, gone = int((lost < 0).sum()), int((lost > 0).sum())
    return AccuracyLoss(
        rows=count,
        value=value,
        certain=value - doubt,
        possible=loss_bound(gained, gone, count, confidence=confidence),
    )

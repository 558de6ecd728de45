"""A candidate in curves: shapes that a person can look at, in which no single row shows.

Letters: M forget rows, H holdout rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, floor

import torch
from torch import Tensor

from unlearning.attacks.attacks import Signals, row_statistics
from unlearning.attacks.percentiles import percentiles
from unlearning.evaluation.forgetting import SHOWN_ROWS
from unlearning.evidence.evidence import AttackName
from unlearning.model.scores import Scores

_LEAST_LOSS = 1e-8
_BINS = (8, 30)
_OUTSIDE = 0.01
"""Share of the rows on either side that goes into the outer bins wherever it lies."""
_MOST_POINTS = 200
_LEAST_CLASS = 30
"""Rows below which a class is not shown for itself, and a group of classes not at all."""
_DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class LossHistogram:
    """Losses of forget and holdout rows in the same bins, as densities over log10 of the loss."""

    edges: tuple[float, ...]
    """log10 of the loss at the ends of the bins; the outer bins hold what lies beyond, too."""
    forget_before: tuple[float, ...]
    """Of the forget rows under the original; empty for at most 20 rows. The next alike."""
    forget_after: tuple[float, ...]
    holdout_before: tuple[float, ...]
    """Of the holdout rows under the original."""
    holdout_after: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RocCurve:
    """Every setting of an attack, from calling no row trained on to calling all rows so."""

    false_positives: tuple[float, ...]
    """Share of holdout rows called trained on, 0 to 1."""
    true_positives: tuple[float, ...]
    """Share of forget rows called so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassAccuracy:
    """Share of the holdout rows of a class that is classified rightly."""

    label: int | None
    """The class; None for all small classes together."""
    rows: int
    before: float
    after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """Original and candidate side by side; ready for JSON."""

    attack: AttackName
    """The attack that is judged, which the ROC curves and percentiles are of."""
    forget_count: int
    holdout_count: int
    losses: LossHistogram
    roc_before: RocCurve | None
    """None for at most 20 forget rows, each of which would be a step of it. The next alike."""
    roc_after: RocCurve | None
    percentiles_before: tuple[float, ...]
    """Percentiles of the forget rows, sorted; only for at most 20 rows. The next alike: sorted for
    itself, so that no place in the two stands for one row."""
    percentiles_after: tuple[float, ...]
    classes: tuple[ClassAccuracy, ...]
    """In label order, small classes last."""
    hidden_rows: int
    """Holdout rows of small classes that are too few even together."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Reading:
    """What was read off one model on the sets "forget" and "holdout"."""

    scores: Mapping[str, Scores]
    signals: Mapping[str, Signals]


def candidate_curves(
    before: Reading, after: Reading, attack: AttackName, *, min_class_rows: int
) -> Curves:
    """The curves of a candidate beside its original, on the same rows.

    The ROC curve ranks rows among unseen rows of their class, as the judged AUC does, so that the
    area under it is that AUC.

    Args:
        before: Of the original.
        after: Of the candidate.
        attack: The attack that is judged.
        min_class_rows: As `unlearning.attacks.percentiles.percentiles`.

    Raises:
        EvidenceError: a set is empty, or a statistic is NaN.
    """
    ranks = [_ranks(one.signals, attack, min_class_rows) for one in (before, after)]
    few = len(ranks[0][0]) <= SHOWN_ROWS
    classes, hidden = _classes(before.scores["holdout"], after.scores["holdout"])
    rocs = [None if few else roc(*one) for one in ranks]
    shown = [_sorted(one[0]) if few else () for one in ranks]
    return Curves(
        attack=attack,
        forget_count=len(ranks[0][0]),
        holdout_count=len(ranks[0][1]),
        losses=_histogram(before.scores, after.scores, few=few),
        roc_before=rocs[0],
        roc_after=rocs[1],
        percentiles_before=shown[0],
        percentiles_after=shown[1],
        classes=classes,
        hidden_rows=hidden,
    )


def roc(members: Tensor, others: Tensor) -> RocCurve:
    """The ROC curve of statistics that are higher for members, thinned to at most 200 points."""
    from sklearn.metrics import roc_curve

    known = torch.cat([torch.ones(len(members)), torch.zeros(len(others))])
    false, true, _ = roc_curve(known.numpy(), torch.cat([members, others]).numpy())
    kept = torch.linspace(0, len(false) - 1, min(len(false), _MOST_POINTS)).round().long()
    return RocCurve(
        false_positives=_plain(torch.as_tensor(false)[kept]),
        true_positives=_plain(torch.as_tensor(true)[kept]),
    )


def overlap(one: tuple[float, ...], other: tuple[float, ...], edges: tuple[float, ...]) -> float:
    """Share of the area that two histograms have in common: 1 = alike, 0 = apart."""
    width = edges[1] - edges[0]
    return sum(min(pair) for pair in zip(one, other, strict=True)) * width


def _ranks(
    signals: Mapping[str, Signals], attack: AttackName, min_rows: int
) -> tuple[Tensor, Tensor]:
    """Percentiles of forget and of holdout rows, both among holdout rows of their class."""
    unseen = signals["holdout"]
    others = row_statistics(attack, unseen)

    def ranked(rows: Signals) -> Tensor:
        found = row_statistics(attack, rows)
        return percentiles(found, rows.labels, others, unseen.labels, min_rows=min_rows).values

    return ranked(signals["forget"]), ranked(unseen)


def _histogram(
    before: Mapping[str, Scores], after: Mapping[str, Scores], *, few: bool
) -> LossHistogram:
    sizes = {
        (name, when): scores[name].losses.clamp(min=_LEAST_LOSS).log10()
        for when, scores in (("before", before), ("after", after))
        for name in ("forget", "holdout")
        if name == "holdout" or not few
    }
    pooled = torch.cat(list(sizes.values())).sort().values
    outside = int(_OUTSIDE * len(pooled))
    # Rounded to halves, so that the edges are no row's own loss.
    low = floor(2 * float(pooled[outside])) / 2
    high = max(ceil(2 * float(pooled[-1 - outside])) / 2, low + 0.5)
    bins = min(max(round(min(map(len, sizes.values())) ** 0.5), _BINS[0]), _BINS[1])
    edges = torch.linspace(low, high, bins + 1, dtype=torch.double)

    def density(name: str, when: str) -> tuple[float, ...]:
        if (name, when) not in sizes:
            return ()
        counts = torch.histogram(sizes[name, when].clamp(low, high), edges).hist
        return _plain(counts / counts.sum() * bins / (high - low))

    return LossHistogram(
        edges=_plain(edges),
        forget_before=density("forget", "before"),
        forget_after=density("forget", "after"),
        holdout_before=density("holdout", "before"),
        holdout_after=density("holdout", "after"),
    )


def _classes(before: Scores, after: Scores) -> tuple[tuple[ClassAccuracy, ...], int]:
    counts = torch.bincount(before.labels)
    large = counts >= _LEAST_CLASS
    found = [
        _class(number, before.labels == number, before, after)
        for number in range(len(counts))
        if bool(large[number])
    ]
    rest = ~large[before.labels]
    hidden = int(rest.sum())
    if hidden >= _LEAST_CLASS:
        return (*found, _class(None, rest, before, after)), 0
    return tuple(found), hidden


def _class(label: int | None, rows: Tensor, before: Scores, after: Scores) -> ClassAccuracy:
    was, now = (float(one.hits[rows].double().mean()) for one in (before, after))
    return ClassAccuracy(label=label, rows=int(rows.sum()), before=was, after=now)


def _sorted(values: Tensor) -> tuple[float, ...]:
    return tuple(float(one) for one in values.sort().values)


def _plain(values: Tensor) -> tuple[float, ...]:
    return tuple(round(float(one), _DIGITS) for one in values)

"""Intervals of shares, means and areas under ROC curves, for two models on the same rows.

Rows are put in an order of their own before they are resampled: the order in which they were read
changes no number. Letters: N rows, P rows of class 1, Q of class 0, B resamples in a block.
"""

from collections.abc import Callable
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, rankdata

from unlearning.errors import EvidenceError
from unlearning.evidence.utility_report import Interval

CONFIDENCE = 0.95
_RESAMPLES = 1000
_SEED = 0
_BLOCK = 1 << 14
"""Drawn rows in one block of resamples: it stays in a processor's cache."""

Floats = NDArray[np.float64]
Places = NDArray[np.int64]
Alternative = Literal["two-sided", "less", "greater"]


def share_interval(hits: int, rows: int) -> Interval:
    """The exact interval of a share of independent rows (Clopper and Pearson 1934).

    It has some width also at 0 and at 1: no hit in few rows is no proof of none.

    Raises:
        EvidenceError: there are no rows.
    """
    _refuse_none(rows)
    return _exact(hits, rows, CONFIDENCE, "two-sided")


def share_change_interval(gained: int, lost: int, rows: int) -> Interval:
    """The interval of how much a share changed between two looks at the same rows, -1 to 1.

    Formula (Bonett and Price 2012): with g = (gained + 1) / (N + 2) and l = (lost + 1) / (N + 2),
    g - l -+ 1.96 sqrt((g + l - (g - l)^2) / (N + 2)). Unlike a bootstrap it has some width also
    where no row changed.

    Args:
        gained: Rows that count now and did not before.
        lost: Rows that counted before and do not now.
        rows: N.

    Raises:
        EvidenceError: there are no rows.
    """
    _refuse_none(rows)
    more, less = (gained + 1) / (rows + 2), (lost + 1) / (rows + 2)
    spread = ((more + less - (more - less) ** 2) / (rows + 2)) ** 0.5
    doubt = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * spread
    return Interval(lower=max(more - less - doubt, -1.0), upper=min(more - less + doubt, 1.0))


def loss_bound(gained: int, lost: int, rows: int, *, confidence: float) -> float:
    """The most that a share may truly have fallen between two looks at the same rows, at most 1.

    Formula (MOVER, Zou and Donner 2008): with l = lost / N and g = gained / N, l - g +
    sqrt((U - l)^2 + (g - L)^2), U and L the exact one-sided limits (Clopper and Pearson 1934) above
    l and below g. Where no row changed it is 1 - (1 - confidence)^(1 / N). A row more that is
    gained, or one fewer that is lost, never raises it, whatever the confidence.

    Args:
        gained: As in `share_change_interval`; the next two alike.
        lost: See there.
        rows: N.
        confidence: How often the true fall is to be no greater, above 0 and below 1.

    Raises:
        EvidenceError: there are no rows.
    """
    _refuse_none(rows)
    up, down = lost / rows, gained / rows
    upper = _exact(lost, rows, confidence, "less").upper
    lower = _exact(gained, rows, confidence, "greater").lower
    return min(up - down + ((upper - up) ** 2 + (down - lower) ** 2) ** 0.5, 1.0)


def mean_intervals(before: Floats, after: Floats) -> tuple[Interval, Interval, Interval]:
    """Intervals of the two means and of their difference after - before, by paired bootstrap.

    A single row gives intervals without width. Cost: 1,000 resamples of N rows, memory of a block.

    Args:
        before: Value of each row [N].
        after: Value of each row [N], in the same order.

    Raises:
        EvidenceError: there are no rows, or a value is not finite.
    """
    _refuse_broken(before, after)
    order = np.lexsort((after, before))
    pair = np.stack([before[order], after[order]])  # [2, N]

    def means(places: Places) -> Floats:
        counts = _counts(places, len(before))  # [B, N]
        one, other = (pair @ counts.T) / len(before)
        return np.stack([one, other, other - one])

    value = pair.mean(axis=1)
    return _intervals((len(before),), means, np.append(value, value[1] - value[0]))


def auroc_intervals(
    labels: Places, before: Floats, after: Floats
) -> tuple[Interval, Interval, Interval]:
    """Intervals of two areas under the ROC curve and of their difference, by paired bootstrap.

    Each class is resampled for itself, so that every resample has rows of both. Cost: 1,000
    resamples of N rows, memory of a block.

    Args:
        labels: 0 or 1 for each row [N].
        before: Score of each row [N], higher for class 1.
        after: Score of each row [N].

    Raises:
        EvidenceError: a class has no rows, or a score is not finite.
    """
    _refuse_broken(before, after)
    order = np.lexsort((after, before, labels))
    positives = int(labels.sum())
    negatives = len(labels) - positives
    _refuse_none(min(positives, negatives))
    ranks = [rankdata(one[order], method="dense").astype(np.int64) - 1 for one in (before, after)]
    split = [(rank[:negatives], rank[negatives:]) for rank in ranks]

    def areas(low: Places, high: Places) -> Floats:
        one, other = (_areas(lower[low], higher[high]) for lower, higher in split)
        return np.stack([one, other, other - one])

    value = areas(np.arange(negatives)[None], np.arange(positives)[None])[:, 0]
    return _intervals((negatives, positives), areas, value)


def _areas(low: Places, high: Places) -> Floats:
    """The area [B] from the dense ranks of rows of class 0 [B, Q] and of class 1 [B, P]."""
    levels = 1 + max(int(low.max()), int(high.max()))
    at, wanted = _counts(low, levels), _counts(high, levels)
    # Of rows with equal scores half are below, half above.
    below = np.cumsum(at, axis=1) - at / 2
    return np.einsum("bl,bl->b", below, wanted) / (low.shape[1] * high.shape[1])


def _counts(places: Places, size: int) -> Floats:
    """How often each place of `size` was drawn in each resample [B, size]."""
    flat = (places + size * np.arange(len(places))[:, None]).ravel()
    counts = np.bincount(flat, minlength=len(places) * size)
    return counts.reshape(len(places), size).astype(np.float64)


def _intervals(
    sizes: tuple[int, ...], statistic: Callable[..., Floats], values: Floats
) -> tuple[Interval, Interval, Interval]:
    """Percentile intervals of three statistics; `statistic` takes drawn places [B, n] by size n.

    scipy's bootstrap refuses a class of one row, which is where doubt is largest.
    """
    random = np.random.default_rng(_SEED)
    block = max(_BLOCK // sum(sizes), 1)
    found: list[Floats] = []
    for start in range(0, _RESAMPLES, block):
        count = min(block, _RESAMPLES - start)
        found.append(statistic(*(random.integers(size, size=(count, size)) for size in sizes)))
    tail = (1 - CONFIDENCE) / 2
    lower, upper = np.quantile(np.concatenate(found, axis=1), [tail, 1 - tail], axis=1)
    # Percentiles of resamples may miss the value itself if few rows make all of it.
    ends = np.minimum(lower, values), np.maximum(upper, values)
    one, other, change = (
        Interval(lower=float(low), upper=float(high)) for low, high in zip(*ends, strict=True)
    )
    return one, other, change


def _exact(hits: int, rows: int, confidence: float, alternative: Alternative) -> Interval:
    """Exact limits of a share; for "less" only the upper one, for "greater" only the lower one."""
    found = binomtest(hits, rows, alternative=alternative)
    ends = found.proportion_ci(confidence_level=confidence, method="exact")
    return Interval(lower=float(ends.low), upper=float(ends.high))


def _refuse_none(rows: int) -> None:
    if rows < 1:
        raise EvidenceError("There are no rows to take an interval over; check the split.")


def _refuse_broken(before: Floats, after: Floats) -> None:
    _refuse_none(min(len(before), len(after)))
    if not (np.isfinite(before).all() and np.isfinite(after).all()):
        raise EvidenceError("A number of at least one row is not finite; measure the rows again.")

"""Rows of a forget set ranked among unseen rows of their class, and what chance alone would do.

The percentile u of a row is the share of unseen rows of its class with a lower statistic. Under
forgetting a forget row is just another unseen row, so u is uniform between 0 and 1, whatever the
statistic, however few rows there are. The mean of u over the rows is the AUC of the attack, each
class compared with itself. Letters: M forget rows, H holdout rows.
"""

from dataclasses import dataclass
from statistics import NormalDist

import torch
from torch import Tensor

from unlearning.errors import EvidenceError

_UNIFORM_VARIANCE = 1 / 12
_FEW = 30
"""Below this many rows the mean of uniform numbers is not taken for normal."""
_DRAWS = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class Percentiles:
    """Where rows stand among unseen rows of their class."""

    values: Tensor
    """u of each row, float64 [M], 0 to 1."""
    holdout_variance: float
    """Variance of the mean of u that comes from the holdout rows being a sample themselves."""

    @property
    def auc(self) -> float:
        """Mean of u: 0.5 = forgotten, 1.0 = remembered, clearly below 0.5 = over-forgotten."""
        return float(self.values.mean())

    @property
    def standard_error(self) -> float:
        """Standard error of the AUC over draws of forget rows and of holdout rows.

        Formula: sqrt(var(u) / M + holdout variance), var(u) not below that of uniform numbers
        where fewer than 30 rows let it be estimated too small by luck.
        """
        count = len(self.values)
        spread = float(self.values.var(correction=0))
        if count < _FEW:
            spread = max(spread, _UNIFORM_VARIANCE)
        return (spread / count + self.holdout_variance) ** 0.5


def percentiles(
    statistics: Tensor, labels: Tensor, others: Tensor, other_labels: Tensor, *, min_rows: int
) -> Percentiles:
    """Where each row stands among unseen rows of its class; a tie counts half.

    Classes with fewer than `min_rows` unseen rows are compared with all unseen rows of such classes
    together, and with all unseen rows if even those are too few. Cost O((M + H) log H).

    Args:
        statistics: Of the forget rows [M], higher for rows trained on.
        labels: Their classes [M].
        others: Statistics of unseen rows [H].
        other_labels: Their classes [H].
        min_rows: See above.

    Raises:
        EvidenceError: a side is empty, or a statistic is NaN.
    """
    if not len(statistics) or not len(others):
        raise EvidenceError("There are no rows to compare; check the forget and holdout sets.")
    if bool(statistics.isnan().any()) or bool(others.isnan().any()):
        raise EvidenceError("A statistic of a row is NaN; look for broken weights or inputs.")
    classes = 1 + int(torch.cat([labels, other_labels]).max())
    large = torch.bincount(other_labels, minlength=classes) >= min_rows
    group = torch.where(large, torch.arange(classes), -1)
    values = torch.empty(len(statistics), dtype=torch.double)
    variance = 0.0
    present = torch.bincount(1 + group[labels], minlength=1 + classes)
    for one in (number for number in range(-1, classes) if present[1 + number]):
        mine = group[labels] == one
        peers = others[group[other_labels] == one]
        peers = peers if len(peers) >= min_rows else others
        values[mine] = _shares_below(statistics[mine], peers)
        variance += float(mine.double().mean()) ** 2 * _UNIFORM_VARIANCE / len(peers)
    return Percentiles(values, variance)


def _shares_below(points: Tensor, values: Tensor) -> Tensor:
    ordered = values.sort().values
    below = torch.searchsorted(ordered, points)
    upto = torch.searchsorted(ordered, points, right=True)
    return (below + upto).double() / (2 * len(values))


def chance_deviation(count: int, holdout_variance: float, *, false_alarm: float) -> float:
    """How far above 0.5 chance alone puts the AUC of M forgotten rows, once in 1 / `false_alarm`.

    Formula: the quantile of the mean of M uniform numbers plus normal noise of the holdout's
    variance; from draws with a fixed seed for fewer than 30 rows, normal beyond. Same below 0.5.
    """
    if count >= _FEW:
        spread = (_UNIFORM_VARIANCE / count + holdout_variance) ** 0.5
        return NormalDist().inv_cdf(1 - false_alarm) * spread
    random = torch.Generator().manual_seed(0)
    means = torch.rand((_DRAWS, count), generator=random, dtype=torch.double).mean(1)
    noise = torch.randn(_DRAWS, generator=random, dtype=torch.double)
    return float((means + holdout_variance**0.5 * noise).quantile(1 - false_alarm)) - 0.5


def detection_power(
    members: Percentiles, weights: Tensor, count: int, *, limit: float, remembered: float = 1.0
) -> float:
    """The chance that M rows would exceed the limit if they were remembered as `members` are.

    Formula: the share of draws of M members, with replacement and by `weights`, whose mean
    percentile, with normal noise of the holdout's variance, lies above the limit; normal for 30
    rows and more. A forgotten row's percentile is uniform. Fixed seed.

    Args:
        members: Percentiles of rows that the model was trained on.
        weights: How likely each of them is drawn, float64; to match the classes of a forget set.
        count: M.
        limit: The AUC above which rows count as remembered.
        remembered: Share of the rows that are remembered so, each by chance; the others are
            forgotten.

    Raises:
        EvidenceError: no member has a weight.
    """
    if not float(weights.sum()) > 0:
        raise EvidenceError(
            "No retain row shares a class with the forget rows; enlarge the retain sample."
        )
    noise = members.holdout_variance
    if count >= _FEW:
        share = weights / weights.sum()
        known = float((share * members.values).sum())
        square = remembered * float((share * members.values.square()).sum())
        square += (1 - remembered) * (_UNIFORM_VARIANCE + 0.25)
        mean = remembered * known + (1 - remembered) * 0.5
        spread = (max(square - mean**2, 0.0) / count + noise) ** 0.5
        return 1 - NormalDist(mean, max(spread, 1e-12)).cdf(limit)
    random = torch.Generator().manual_seed(0)
    drawn = torch.multinomial(weights, _DRAWS * count, replacement=True, generator=random)
    values = members.values[drawn]
    if remembered < 1:
        is_known = torch.rand(len(values), generator=random, dtype=torch.double) < remembered
        forgotten = torch.rand(len(values), generator=random, dtype=torch.double)
        values = torch.where(is_known, values, forgotten)
    means = values.reshape(_DRAWS, count).mean(1)
    means = means + noise**0.5 * torch.randn(_DRAWS, generator=random, dtype=torch.double)
    return float((means > limit).double().mean())

"""Intervals and ranks of measured gaps."""

from math import sqrt
from statistics import mean, stdev
from typing import Any

from scipy.stats import rankdata, t


def half_width(values: list[float]) -> float:
    """Half of the 95 % interval of the mean, by Student's t; at least two values."""
    count = len(values)
    return float(t.ppf(0.975, count - 1)) * stdev(values) / sqrt(count)


def confidence_interval(values: list[float]) -> str:
    """The mean and the half-width of its interval; a single value has none."""
    if len(values) < 2:  # noqa: PLR2004 - a spread needs two
        return f"{mean(values):.4f}"
    return f"{mean(values):.4f} ± {half_width(values):.4f}"


def ratio_interval(above: list[float], below: list[float]) -> str:
    """The ratio of two means, with the half-width by which pairing and linearising it give it."""
    ratio = mean(above) / mean(below)
    if len(above) < 2:  # noqa: PLR2004 - a spread needs two
        return f"{ratio:.2f}"
    rest = [one - ratio * other for one, other in zip(above, below, strict=True)]
    return f"{ratio:.2f} ± {half_width(rest) / mean(below):.2f}"


def average_ranks(problems: list[dict[str, Any]]) -> dict[str, float]:
    """For each method its mean rank by gap over the problems; 1 is the closest to retraining."""
    names = list(problems[0]["methods"])
    ranks = [rankdata([one["methods"][name]["gap"] for name in names]) for one in problems]
    return {name: float(mean(row[place] for row in ranks)) for place, name in enumerate(names)}

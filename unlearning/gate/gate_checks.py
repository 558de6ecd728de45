"""A check of the gate: one number against its limits, failing closed."""

from dataclasses import dataclass
from math import inf, isfinite

ROUNDING = 1e-9
"""Slack for the rounding of a difference of two shares; far below one row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question the gate asks, with its answer."""

    name: str
    value: float | None
    """The number judged; None if it is missing or not finite."""
    lower: float | None
    """Smallest accepted value; None = no limit on this side."""
    upper: float | None
    """Largest accepted value; None = no limit on this side."""
    passed: bool
    meaning: str
    """What a failure would mean, in one sentence."""

    @property
    def in_words(self) -> str:
        """The meaning as a part of a longer sentence."""
        said = self.meaning.rstrip(".").replace(". ", ": ")
        return said[:1].lower() + said[1:]


def check(
    name: str,
    value: float | None,
    *,
    lower: float | None = None,
    upper: float | None = None,
    meaning: str,
) -> Check:
    """The check of a value against inclusive limits; a value that is no number fails."""
    known = value if is_number(value) else None
    passed = known is not None and (
        (-inf if lower is None else lower) - ROUNDING
        <= known
        <= (inf if upper is None else upper) + ROUNDING
    )
    return Check(name=name, value=known, lower=lower, upper=upper, passed=passed, meaning=meaning)


def is_number(value: object) -> bool:
    """Whether this is a finite number."""
    return isinstance(value, int | float) and isfinite(value)


def difference(one: float, other: float) -> float | None:
    """`one` less `other`; None if either is no number."""
    return one - other if is_number(one) and is_number(other) else None

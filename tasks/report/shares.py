"""How shares and their differences are said: as cases and points out of a hundred."""

_HUNDRED = 100
ROUNDING = 1e-6
"""Shares that differ by less are the same."""


def in_hundred(share: float, *beside: float) -> str:
    """A share as a number of cases out of 100, with a digit more where whole numbers mislead.

    Args:
        share: From 0 to 1.
        beside: Shares that it will be compared with; if they are not the same, they do not look it.
    """
    whole = round(share * _HUNDRED)
    if whole in (0, _HUNDRED) and not _is_whole(share):
        return "fewer than 1" if whole == 0 else "more than 99"
    alike = any(round(one * _HUNDRED) == whole and abs(one - share) > ROUNDING for one in beside)
    return f"{share * _HUNDRED:.1f}" if alike else str(whole)


def points(share: float) -> str:
    """A difference of two shares in points of a hundred, such as "1.2 points"."""
    value = f"{abs(share) * _HUNDRED:.1f}"
    return f"{value} point" if value == "1.0" else f"{value} points"


def uncertain(power: float) -> float:
    """No test notices everything, however near to 1 its power is computed."""
    return min(power, 0.999)


def _is_whole(share: float) -> bool:
    return abs(share * _HUNDRED - round(share * _HUNDRED)) < ROUNDING

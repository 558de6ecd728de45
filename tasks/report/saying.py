"""How a check of the gate is put into words."""

from collections.abc import Callable

from unlearning.evidence.evidence import Evidence
from unlearning.gate.gate_checks import Check

Say = Callable[[Check, float, Evidence], str]
"""The sentence of a check, from the number that was judged and the evidence it came from."""


def within_limits(check: Check) -> str:
    """What can be said of any check: that it passed, or its own meaning."""
    return "Within its limits." if check.passed else check.meaning

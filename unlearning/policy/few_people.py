"""Measures of so few people that a number describes one of them are withheld from what is kept."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

FEW = 5
"""So many people hide each other in a mean."""
WITHHELD = f"Withheld: fewer than {FEW} people, so that the number would describe one of them."
_MEASURES = frozenset(
    {
        "forget_accuracy",
        "forget_loss",
        "mia_auc",
        "mia_standard_error",
        "row_percentiles",
        "own",
        "pooled",
        "unseen_accuracy",
        "nothing_left",
        "threshold_advantage",
        "shadow_auc",
        "relearning_speed",
        "distance_to_retrained",
    }
)
_ATTACK = frozenset({"before", "before_error", "after", "after_error"})
CHECKS = frozenset(
    {
        "accuracy_advantage",
        "mia_auc_upper",
        "mia_auc_lower",
        "known_positive",
        "nothing_left_auc",
        "own_rows_moved",
        "pooled_mia_auc_upper",
        "pooled_mia_auc_lower",
    }
)
"""Names of the gate's checks whose number is measured on the forget rows."""


def without_measures(values: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values without what was measured on the forget rows, at any depth.

    Whether a check was passed stays, and so does what the test could have shown.
    """
    hidden = _hidden(values)
    return {name: _inside(value) for name, value in values.items() if name not in hidden}


def _hidden(values: Mapping[str, Any]) -> frozenset[str]:
    if "member_auc" in values:
        return _ATTACK
    if values.get("name") in CHECKS:
        return frozenset({"value"})
    return _MEASURES


def _inside(value: Any) -> Any:
    if isinstance(value, Mapping):
        return without_measures(cast("Mapping[str, Any]", value))
    if isinstance(value, list | tuple):
        return [_inside(one) for one in cast("Sequence[Any]", value)]
    return value

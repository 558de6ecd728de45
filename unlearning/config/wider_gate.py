"""What makes a gate wider: limits that let pass what others would have stopped."""

from unlearning.config.gate_policy import GatePolicy

_WIDER_ABOVE = (
    "max_holdout_accuracy_loss",
    "max_retain_accuracy_loss",
    "max_class_accuracy_loss",
    "max_slice_accuracy_loss",
    "max_exact_accuracy_loss",
    "max_exact_class_accuracy_loss",
    "max_exact_slice_accuracy_loss",
    "max_error_rise",
    "max_exact_error_rise",
    "max_possible_loss",
    "max_exact_possible_loss",
    "max_mia_auc",
    "max_accuracy_advantage",
    "nothing_left_auc",
    "remaining_share",
    "min_class_rows",
    "min_slice_rows",
)
_WIDER_BELOW = ("min_mia_auc", "min_power", "false_alarm", "references")
"""A rarer false alarm widens the limits of chance; fewer references weaken the attack."""


def wider(policy: GatePolicy, than: GatePolicy) -> tuple[str, ...]:
    """Where a gate lets pass more than another one, as `limit value instead of value`."""
    found = [
        _instead(name, policy, than)
        for sign, names in ((1, _WIDER_ABOVE), (-1, _WIDER_BELOW))
        for name in names
        if sign * getattr(policy, name) > sign * getattr(than, name)
    ]
    if than.require_canaries and not policy.require_canaries:
        found.append("no canaries required")
    if policy.undecided == "accept" and than.undecided != "accept":
        found.append("candidates accepted that the test cannot decide on")
    return tuple(found)


def why_blind(policy: GatePolicy) -> str:
    """Why the gate could see nothing at all, whoever answers for it; empty if it can see."""
    if policy.max_mia_auc >= 1 and policy.remaining_share >= 1:
        return "with max_mia_auc 1 and remaining_share 1 a candidate passes that forgot nothing"
    if policy.min_power <= policy.false_alarm:
        return "with a min_power that chance alone reaches a test passes that shows nothing"
    return ""


def _instead(name: str, policy: GatePolicy, than: GatePolicy) -> str:
    return f"{name} {getattr(policy, name):g} instead of {getattr(than, name):g}"

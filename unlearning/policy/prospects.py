"""What the next request for a model would end in, before there is one."""

from dataclasses import dataclass

from unlearning.config.gate_policy import GatePolicy
from unlearning.policy.budget import is_exact


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """What a request of so many rows of the model would end in."""

    rows: int
    power: float | None
    """Chance that the attack would catch them if they were still remembered; None if unknown."""
    ending: str
    """In one sentence."""


def prospect(
    rows: int,
    power: float | None,
    *,
    method: str,
    policy: GatePolicy,
    obstacle: str,
    auc: float | None = None,
) -> Prospect:
    """What so many rows would end in.

    Args:
        rows: Rows to forget.
        power: See `Prospect`.
        method: The method of the enrolment.
        policy: Its gate.
        obstacle: Why the model cannot be trained anew; empty if it can.
        auc: How well the attack tells its training rows; None if unknown.
    """
    is_general = auc is not None and auc < policy.nothing_left_auc
    ending = _ending(power, method, policy, obstacle, is_general=is_general)
    return Prospect(rows=rows, power=power, ending=ending)


def _ending(
    power: float | None, method: str, policy: GatePolicy, obstacle: str, *, is_general: bool
) -> str:
    last = "waits for people; " + _last(policy)
    if is_exact(method):
        return f"No candidate can be made, so it {last}" if obstacle else "Erased by a retrain."
    sees = power is not None and power >= policy.min_power
    if sees or power is None or (is_general and policy.undecided != "accept"):
        passes = "the gate passes it"
        if not sees:
            passes = "controls show that nothing is left to see"
        if power is None:
            passes = "the attack, whose power is not known yet, can judge it and the gate passes it"
        otherwise = f"it {last}" if obstacle else "a retrain follows."
        return f"Erased by an update, if {passes}; else {otherwise}"
    if policy.undecided == "accept":
        return "Erased by an update that the attack cannot judge, and certificates say so."
    if obstacle:
        return f"The attack cannot decide, and no retrain can be made: it {last}"
    return "Erased by a retrain, because the attack cannot decide on an update."


def _last(policy: GatePolicy) -> str:
    """What the last resort makes of it."""
    if policy.last_resort == "withdraw":
        days = policy.withdraw_days
        return f"from {days} days before the request is due the model is taken out of service."
    if policy.last_resort == "retrain-later":
        return "the model stays in service until its owner has trained and enrolled it anew."
    return "the model stays in service, and they are called ever more urgently."

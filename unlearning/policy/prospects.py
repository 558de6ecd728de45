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
    rows: int, power: float | None, *, method: str, policy: GatePolicy, obstacle: str
) -> Prospect:
    """What so many rows would end in.

    Args:
        rows: Rows to forget.
        power: See `Prospect`.
        method: The method of the enrolment.
        policy: Its gate.
        obstacle: Why the model cannot be trained anew; empty if it can.
    """
    return Prospect(rows=rows, power=power, ending=_ending(power, method, policy, obstacle))


def _ending(power: float | None, method: str, policy: GatePolicy, obstacle: str) -> str:
    last = "waits for people; " + _last(policy)
    if is_exact(method):
        return f"No candidate can be made, so it {last}" if obstacle else "Erased by a retrain."
    if power is None:
        return "The attack's power is not known yet."
    otherwise = f"it {last}" if obstacle else "a retrain follows."
    if power >= policy.min_power:
        return f"Erased by an update, if the gate passes it; else {otherwise}"
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

"""What follows if no rung of the ladder is enough: its owner chose, and people are told in time."""

from dataclasses import dataclass
from datetime import date, timedelta

from unlearning.config.gate_policy import GatePolicy
from unlearning.policy.counted import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class StillRemembered:
    """Rows of a batch that a model could not be made to forget."""

    model: str
    version: int
    """The version in service."""
    rows: int
    """Rows of the batch that it was trained on."""
    reason: str
    """Why no rung was enough."""
    received: date
    """When the request came that is due first."""
    due: date


def withdrawal_day(policy: GatePolicy, due: date) -> date:
    """From when on the model loses its alias, where its owner chose that."""
    return due - timedelta(days=policy.withdraw_days)


def what_follows(policy: GatePolicy, due: date) -> str:
    """What becomes of a model that no rung makes forget, in one sentence."""
    if policy.last_resort == "withdraw":
        day = withdrawal_day(policy, due)
        return (
            f"From {day} on the model is taken out of service, as its owner chose, and the rows "
            "are erased."
        )
    until = "somebody decides"
    if policy.last_resort == "retrain-later":
        until = "its owner has trained it anew without these people, as chosen"
    return f"The model stays in service and its requests stay open until {until}."


def what_helps(policy: GatePolicy) -> str:
    """What people can do about it, in one sentence."""
    if policy.last_resort == "retrain-later":
        return (
            "What would help: train it anew on a copy of its table without these people, and enrol "
            "that version on the copy."
        )
    return (
        "What would help: what the report of the batch names, mended; its owner's recipe, enrolled "
        "with --recipe, where it could not be retrained; a version trained without these people, "
        "enrolled; or the model out of service, enrolled again with --last-resort withdraw."
    )


def alarm(policy: GatePolicy, one: StillRemembered, today: date) -> str:
    """What people are told today; empty before half of the time from receipt to due date is over.

    The words get sharper: first how many days are left, "URGENT" within `withdraw_days` of the due
    date, "OVERDUE" once it has passed.
    """
    if 2 * (today - one.received) < one.due - one.received:
        return ""
    left = (one.due - today).days
    rows = counted(one.rows, "row")
    if left < 0:
        said = (
            f"OVERDUE by {counted(-left, 'day')}: {one.model} version {one.version} still "
            f"remembers {rows} of people who had to be erased by {one.due}."
        )
    else:
        urgent = "URGENT: " if left <= policy.withdraw_days else ""
        are = "is" if left == 1 else "are"
        said = (
            f"{urgent}{one.model} version {one.version} still remembers {rows} that must be erased "
            f"by {one.due}: {counted(left, 'day')} {are} left."
        )
    follows = what_follows(policy, one.due)
    parts = [said, one.reason, "" if follows in one.reason else follows, what_helps(policy)]
    return " ".join(part for part in parts if part)

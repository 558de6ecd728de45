"""What the gate's checks of usefulness mean, in sentences for people who read no statistics."""

from collections.abc import Mapping

from tasks.report.saying import Say, within_limits
from tasks.report.shares import in_hundred, points
from unlearning.evidence.evidence import AccuracyLoss, Evidence
from unlearning.gate.gate_checks import Check


def _complete(check: Check, value: float, _: Evidence) -> str:
    if check.passed:
        return "Every number that the decision needs is there and is possible."
    return f"{value:.0f} numbers are missing or impossible, so that nothing was shown."


def _same_rows(check: Check, _: float, __: Evidence) -> str:
    if check.passed:
        return "Both versions were measured on the same rows, so that they compare."
    return check.meaning


def _holdout(check: Check, value: float, evidence: Evidence) -> str:
    was, now = evidence.before.holdout_accuracy, evidence.after.holdout_accuracy
    return f"{_right_answers('rows that the model never saw', was, now)} {_loss(check, value)}"


def _error(check: Check, value: float, evidence: Evidence) -> str:
    error = evidence.holdout_error
    if error is None:
        return within_limits(check)
    said = (
        f"On {error.rows:,} rows that the model never saw its number is {error.after:.4g} off on "
        f"average; that of the old version was {error.before:.4g} off."
    )
    if value <= 0:
        return f"{said} Chance can explain the difference."
    return (
        f"{said} More than chance explains: a rise of {points(value)} in 100. Accepted: up to "
        f"{points(check.upper or 0.0)}."
    )


def _retain(check: Check, value: float, evidence: Evidence) -> str:
    was, now = evidence.before.retain_accuracy, evidence.after.retain_accuracy
    said = _right_answers("rows that stay", was, now)
    if check.upper is None:
        return (
            f"{said} That is stated and not judged: it was trained anew on these rows, and one "
            "that fits them less may be better for new people."
        )
    return f"{said} {_loss(check, value)}"


def _possible_holdout(check: Check, value: float, evidence: Evidence) -> str:
    return _possible(check, value, evidence.holdout_accuracy_loss, "that the model never saw")


def _possible_retain(check: Check, value: float, evidence: Evidence) -> str:
    return _possible(check, value, evidence.retain_accuracy_loss, "that stay")


def _possible(check: Check, value: float, loss: AccuracyLoss, rows: str) -> str:
    limit = points(check.upper or 0.0)
    said = (
        f"On {loss.rows:,} rows {rows} a loss of up to {points(max(value, 0.0))} in 100 could go "
        "unseen"
    )
    if check.passed:
        return f"{said}; up to {limit} is accepted."
    return f"{said}, and {limit} is accepted: there are too few rows to tell."


def _class(check: Check, value: float, evidence: Evidence) -> str:
    return _group(check, value, evidence.class_accuracy_loss, "class that fared worst")


def _slice(check: Check, value: float, evidence: Evidence) -> str:
    loss = evidence.slice_accuracy_loss
    name = f", {loss.column.replace('_', ' ')} {loss.group}" if loss else ""
    return _group(check, value, loss, f"slice that fared worst{name}")


def _group(check: Check, value: float, loss: AccuracyLoss | None, name: str) -> str:
    if loss is None:
        return within_limits(check)
    way = "rose" if loss.value < 0 else "fell"
    return (
        f"In the {name} ({loss.rows:,} rows that the model never saw) right answers {way} by "
        f"{points(loss.value)} in 100. {_loss(check, value)}"
    )


def _right_answers(rows: str, was: float, now: float) -> str:
    return (
        f"Of 100 {rows} it answers {in_hundred(now, was)} rightly; the old version answered "
        f"{in_hundred(was, now)}."
    )


def _loss(check: Check, value: float) -> str:
    limit = points(check.upper or 0.0)
    if value <= 0:
        return "Chance can explain the difference."
    return f"More than chance explains: a loss of {points(value)} in 100. Accepted: up to {limit}."


UTILITY: Mapping[str, tuple[str, Say]] = {
    "evidence_complete": ("Is the evidence complete?", _complete),
    "same_rows": ("Were both versions measured alike?", _same_rows),
    "holdout_accuracy_loss": ("Is the model still good for new people?", _holdout),
    "holdout_error_rise": ("Are its numbers still as near for new people?", _error),
    "retain_accuracy_loss": ("Is it still good for the people who stay?", _retain),
    "possible_holdout_loss": ("Would a loss for new people be seen?", _possible_holdout),
    "possible_retain_loss": ("Would one for the people who stay?", _possible_retain),
    "class_accuracy_loss": ("Is no class left behind?", _class),
    "slice_accuracy_loss": ("Is no slice left behind?", _slice),
}
"""Question and answer of each check, by its name."""

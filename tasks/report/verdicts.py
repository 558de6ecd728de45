"""What the gate's numbers mean, in sentences for people who read no statistics."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from unlearning.evidence.evidence import AccuracyLoss, Evidence
from unlearning.gate.gate_checks import Check

_HUNDRED = 100
_CHANCE = 0.5
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One check of the gate as a person reads it."""

    name: str
    """The check's own name."""
    question: str
    sentence: str
    measured: str
    accepted: str
    passed: bool


def verdict(check: Check, evidence: Evidence | None) -> Verdict:
    """The check in plain words; one that is unknown here speaks by its own `meaning`.

    Args:
        check: Of the gate's decision.
        evidence: What it judged; None if that is lost, so that only the check itself can speak.
    """
    question, say = _WORDS.get(check.name, (check.name.replace("_", " ").capitalize(), None))
    if check.value is None:
        sentence = "This number is missing, so that nothing was shown, and that never passes."
    elif say is None or evidence is None:
        sentence = _meaning(check)
    else:
        sentence = say(check, check.value, evidence)
    return Verdict(
        name=check.name,
        question=question,
        sentence=sentence,
        measured="missing" if check.value is None else _number(check.value),
        accepted=_accepted(check),
        passed=check.passed,
    )


def power_sentence(evidence: Evidence, checks: Sequence[Check] = ()) -> str:
    """How likely the test would have noticed that nothing was forgotten.

    Args:
        evidence: What was measured.
        checks: Of the gate's decision, which says whether earlier batches counted.
    """
    found = evidence.forgetting
    pooled = any(check.name == "own_rows_moved" for check in checks)
    power, count = (
        (found.pooled_power, found.pooled.count) if pooled else (found.power, found.count)
    )
    rows = f"these {count} rows" if count != 1 else "this one row"
    where = " (of this batch and earlier ones)" if pooled else ""
    return (
        f"Had the model still remembered {rows}{where} as it remembers others that it was trained "
        f"on, this test would have noticed in {in_hundred(_uncertain(power))} of 100 cases."
        f"{_half(evidence)}"
    )


def _half(evidence: Evidence) -> str:
    """A test that notices everything may still overlook half of it."""
    half = evidence.forgetting.half_power
    if half is None:
        return ""
    return (
        " Had it still remembered half of the rows of this batch, in "
        f"{in_hundred(_uncertain(half))} of 100."
    )


def in_hundred(share: float, *beside: float) -> str:
    """A share as a number of cases out of 100, with a digit more where whole numbers mislead.

    Args:
        share: From 0 to 1.
        beside: Shares that it will be compared with; if they are not the same, they do not look it.
    """
    whole = round(share * _HUNDRED)
    if whole in (0, _HUNDRED) and not _is_whole(share):
        return "fewer than 1" if whole == 0 else "more than 99"
    alike = any(round(one * _HUNDRED) == whole and abs(one - share) > _ROUNDING for one in beside)
    return f"{share * _HUNDRED:.1f}" if alike else str(whole)


def points(share: float) -> str:
    """A difference of two shares in points of a hundred, such as "1.2 points"."""
    value = f"{abs(share) * _HUNDRED:.1f}"
    return f"{value} point" if value == "1.0" else f"{value} points"


def _uncertain(power: float) -> float:
    """No test notices everything, however near to 1 its power is computed."""
    return min(power, 0.999)


def _is_whole(share: float) -> bool:
    return abs(share * _HUNDRED - round(share * _HUNDRED)) < _ROUNDING


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else f"{value:.3f}"


def _accepted(check: Check) -> str:
    low, high = check.lower, check.upper
    if low is not None and high is not None:
        return f"{_number(low)} to {_number(high)}"
    if low is not None:
        return f"at least {_number(low)}"
    return "any" if high is None else f"at most {_number(high)}"


def _meaning(check: Check) -> str:
    return "Within its limits." if check.passed else check.meaning


def _complete(check: Check, value: float, _: Evidence) -> str:
    if check.passed:
        return "Every number that the decision needs is there and is possible."
    return f"{value:.0f} numbers are missing or impossible, so that nothing was shown."


def _same_rows(check: Check, _: float, __: Evidence) -> str:
    if check.passed:
        return "Both versions were measured on the same rows, so that they compare."
    return check.meaning


def _known_positive(check: Check, value: float, evidence: Evidence) -> str:
    found = evidence.forgetting
    pooled = abs(found.judged.before - found.upper - value) > _ROUNDING
    limit = found.pooled_upper if pooled else found.upper
    said = (
        f"Before the erasure the attacker was right {in_hundred(value + limit, limit)} times in "
        f"100{_with_pool(evidence) if pooled else ''}"
    )
    if check.passed:
        return f"{said}: the attack works here, so that what it says afterwards counts."
    return (
        f"{said}, not more than the {in_hundred(limit, value + limit)} that count as forgotten: "
        "the attack does not work here, so that its silence afterwards proves nothing."
    )


def _power(check: Check, value: float, evidence: Evidence) -> str:
    pooled = abs(evidence.forgetting.power - value) > _ROUNDING
    said = (
        "Rows that are still remembered as well as others would be noticed in "
        f"{in_hundred(_uncertain(value), check.lower or 0.0)} of 100 cases"
        f"{_with_pool(evidence) if pooled else ''}"
    )
    need = in_hundred(check.lower or 0.0, value)
    if check.passed:
        return f"{said}; at least {need} are asked for."
    return f"{said}, and {need} are asked for: the rows are too few, or were learned too little."


def _canaries(check: Check, _: float, evidence: Evidence) -> str:
    canaries = evidence.probes.canaries
    if canaries is None:
        return _meaning(check)
    said = (
        f"{canaries.count} rows were learned in this very run to be seen; the attacker was right "
        f"{in_hundred(canaries.planted, canaries.limit)} times in 100 on them"
    )
    if check.passed:
        return f"{said}: it would see a failure."
    return f"{said}, no more than chance explains: it would not see a failure."


def _no_canaries(check: Check, _: float, __: Evidence) -> str:
    said = (
        f"{check.meaning} No rows were learned in this run to be seen, so that nothing but rows "
        "that the old version had learned tells whether the attack would see a failure"
    )
    return f"{said}; this model's policy asks for no more." if check.passed else f"{said}."


def _advantage(check: Check, value: float, evidence: Evidence) -> str:
    forget, unseen = evidence.after.forget_accuracy, evidence.unseen_accuracy
    others = evidence.after.holdout_accuracy if unseen is None else unseen.after
    said = (
        f"The new version gives the right answer for {in_hundred(forget, others)} of 100 forget "
        f"rows, and for {in_hundred(others, forget)} of 100 rows that it never saw"
        f"{'' if unseen is None else ', classes mixed alike'}"
    )
    if check.passed:
        allowed = points(check.upper or 0.0)
        return f"{said}; {'fewer' if value < 0 else f'up to {allowed} more'} counts as forgotten."
    return f"{said}: it still knows these rows' answers better than it should."


def _auc_upper(check: Check, value: float, _: Evidence) -> str:
    limit = check.upper or _CHANCE
    said = (
        "Shown one forget row and one row that the model never saw, an attacker who must say which "
        "was trained on would be right 50 times in 100 by guessing; here "
        f"{in_hundred(value, limit)} times"
    )
    if check.passed:
        return f"{said}. Up to {in_hundred(limit, value)} counts as forgotten."
    return f"{said}, more than the {in_hundred(limit, value)} that count as forgotten."


def _auc_lower(check: Check, value: float, _: Evidence) -> str:
    limit = check.lower or _CHANCE
    if check.passed:
        return (
            "Nor do the forget rows give themselves away by looking newer than new: the attacker "
            f"is not right fewer than {in_hundred(limit, value)} times in 100."
        )
    return (
        f"The attacker is right only {in_hundred(value, limit)} times in 100, below "
        f"{in_hundred(limit, value)}: the forget rows look newer than new, which marks them too."
    )


def _own_rows(check: Check, value: float, evidence: Evidence) -> str:
    was = in_hundred(evidence.forgetting.judged.before, value)
    said = (
        f"On these rows alone the attacker was right {was} times in 100 before and is right "
        f"{in_hundred(value, evidence.forgetting.judged.before)} times now"
    )
    if check.passed:
        return f"{said}: earlier batches do not hide them."
    return f"{said}: earlier batches speak for the update, these rows do not."


def _pooled_upper(check: Check, value: float, evidence: Evidence) -> str:
    return f"Together with earlier batches: {_auc_upper(check, value, evidence)}"


def _pooled_lower(check: Check, value: float, evidence: Evidence) -> str:
    return f"Together with earlier batches: {_auc_lower(check, value, evidence)}"


def _holdout(check: Check, value: float, evidence: Evidence) -> str:
    was, now = evidence.before.holdout_accuracy, evidence.after.holdout_accuracy
    return f"{_right_answers('rows that the model never saw', was, now)} {_loss(check, value)}"


def _retain(check: Check, value: float, evidence: Evidence) -> str:
    was, now = evidence.before.retain_accuracy, evidence.after.retain_accuracy
    return f"{_right_answers('rows that stay', was, now)} {_loss(check, value)}"


def _possible(check: Check, value: float, loss: AccuracyLoss, rows: str) -> str:
    limit = points(check.upper or 0.0)
    said = (
        f"On {loss.rows:,} rows {rows} a loss of up to {points(max(value, 0.0))} in 100 could go "
        "unseen"
    )
    if check.passed:
        return f"{said}; up to {limit} is accepted."
    return f"{said}, and {limit} is accepted: there are too few rows to tell."


def _possible_holdout(check: Check, value: float, evidence: Evidence) -> str:
    return _possible(check, value, evidence.holdout_accuracy_loss, "that the model never saw")


def _possible_retain(check: Check, value: float, evidence: Evidence) -> str:
    return _possible(check, value, evidence.retain_accuracy_loss, "that stay")


def _class(check: Check, value: float, evidence: Evidence) -> str:
    return _group(check, value, evidence.class_accuracy_loss, "class that fared worst")


def _slice(check: Check, value: float, evidence: Evidence) -> str:
    loss = evidence.slice_accuracy_loss
    name = f", {loss.column.replace('_', ' ')} {loss.group}" if loss else ""
    return _group(check, value, loss, f"slice that fared worst{name}")


def _group(check: Check, value: float, loss: AccuracyLoss | None, name: str) -> str:
    if loss is None:
        return _meaning(check)
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


def _with_pool(evidence: Evidence) -> str:
    return f" (over {evidence.forgetting.pooled.count} rows of this and earlier batches)"


_Say = Callable[[Check, float, Evidence], str]
_WORDS: Mapping[str, tuple[str, _Say]] = {
    "evidence_complete": ("Is the evidence complete?", _complete),
    "same_rows": ("Were both versions measured alike?", _same_rows),
    "holdout_accuracy_loss": ("Is the model still good for new people?", _holdout),
    "retain_accuracy_loss": ("Is it still good for the people who stay?", _retain),
    "possible_holdout_loss": ("Would a loss for new people be seen?", _possible_holdout),
    "possible_retain_loss": ("Would one for the people who stay?", _possible_retain),
    "class_accuracy_loss": ("Is no class left behind?", _class),
    "slice_accuracy_loss": ("Is no slice left behind?", _slice),
    "known_positive": ("Can the attack see anything at all?", _known_positive),
    "attack_power": ("Would it have noticed a failure?", _power),
    "canaries_caught": ("Does it see rows planted to be seen?", _canaries),
    "canaries_made": ("Was there a control?", _no_canaries),
    "accuracy_advantage": ("Does the model still know the answers?", _advantage),
    "mia_auc_upper": ("Are the rows still remembered?", _auc_upper),
    "mia_auc_lower": ("Do they stand out as newer than new?", _auc_lower),
    "pooled_mia_auc_upper": ("Are they, over all batches so far?", _pooled_upper),
    "own_rows_moved": ("Did these very rows move?", _own_rows),
    "pooled_mia_auc_lower": ("Do they stand out, over all batches so far?", _pooled_lower),
}

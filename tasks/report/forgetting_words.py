"""What the gate's checks of forgetting mean, in sentences for people who read no statistics."""

from collections.abc import Mapping, Sequence

from tasks.report.saying import Say, within_limits
from tasks.report.shares import ROUNDING, in_hundred, points, uncertain
from unlearning.evidence.evidence import Evidence
from unlearning.gate.gate_checks import Check

_CHANCE = 0.5


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
        f"on, this test would have noticed in {in_hundred(uncertain(power))} of 100 cases."
        f"{_half(evidence)}"
    )


def _known_positive(check: Check, value: float, evidence: Evidence) -> str:
    found = evidence.forgetting
    pooled = abs(found.judged.before - found.upper - value) > ROUNDING
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
    pooled = abs(evidence.forgetting.power - value) > ROUNDING
    said = (
        "Rows that are still remembered as well as others would be noticed in "
        f"{in_hundred(uncertain(value), check.lower or 0.0)} of 100 cases"
        f"{_with_pool(evidence) if pooled else ''}"
    )
    need = in_hundred(check.lower or 0.0, value)
    if check.passed:
        return f"{said}; at least {need} are asked for."
    return f"{said}, and {need} are asked for: the rows are too few, or were learned too little."


def _canaries(check: Check, _: float, evidence: Evidence) -> str:
    canaries = evidence.probes.canaries
    if canaries is None:
        return within_limits(check)
    said = (
        f"{canaries.count} rows were learned in this very run to be seen; the attacker was right "
        f"{in_hundred(canaries.seen, canaries.limit)} times in 100 on them"
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
    forget, others = evidence.after.forget_accuracy, evidence.unseen_accuracy.after
    said = (
        f"The new version gives the right answer for {in_hundred(forget, others)} of 100 forget "
        f"rows, and for {in_hundred(others, forget)} of 100 rows that it never saw, classes mixed "
        "alike"
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


def _works(check: Check, _: float, __: Evidence) -> str:
    if check.passed:
        return (
            "Asked about many rows that the old version was trained on, or about rows planted to "
            "be seen, the attack tells them from new ones: it works on this model."
        )
    return check.meaning


def _nothing_left(check: Check, value: float, _: Evidence) -> str:
    limit = check.upper or _CHANCE
    said = (
        "Whatever attack is asked about these rows, of the old version or of the new one, it is "
        f"right at most {in_hundred(value, limit)} times in 100, and 50 is guessing"
    )
    if check.passed:
        return f"{said}. Up to {in_hundred(limit, value)} counts as nothing left to see."
    return f"{said}: more than the {in_hundred(limit, value)} that count as nothing."


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


def _with_pool(evidence: Evidence) -> str:
    return f" (over {evidence.forgetting.pooled.count} rows of this and earlier batches)"


def _half(evidence: Evidence) -> str:
    """A test that notices everything may still overlook half of it."""
    half = evidence.forgetting.half_power
    return (
        " Had it still remembered half of the rows of this batch, in "
        f"{in_hundred(uncertain(half))} of 100."
    )


FORGETTING: Mapping[str, tuple[str, Say]] = {
    "known_positive": ("Can the attack see anything at all?", _known_positive),
    "attack_power": ("Would it have noticed a failure?", _power),
    "canaries_caught": ("Does it see rows planted to be seen?", _canaries),
    "canaries_made": ("Was there a control?", _no_canaries),
    "accuracy_advantage": ("Does the model still know the answers?", _advantage),
    "mia_auc_upper": ("Are the rows still remembered?", _auc_upper),
    "mia_auc_lower": ("Do they stand out as newer than new?", _auc_lower),
    "pooled_mia_auc_upper": ("Are they, over all batches so far?", _pooled_upper),
    "own_rows_moved": ("Did these very rows move?", _own_rows),
    "attack_works": ("Does the attack work on this model?", _works),
    "nothing_left_auc": ("Was there anything to see of these rows?", _nothing_left),
    "pooled_mia_auc_lower": ("Do they stand out, over all batches so far?", _pooled_lower),
}
"""Question and answer of each check, by its name."""

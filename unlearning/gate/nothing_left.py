"""Nothing left to see: how little these rows give away, where the attack cannot tell at all.

A model that generalises well gives an attacker so little that no test of it has power. That is no
guilt. If the attack is shown to work on this model, and the most that it can get out of these very
rows lies below the policy's bound, before the update and after it, nothing is left to be seen.
Letters: M forget rows, H holdout rows.
"""

from statistics import NormalDist

from unlearning.config.gate_policy import GatePolicy
from unlearning.evidence.evidence import Evidence
from unlearning.gate.gate_checks import Check, check, is_number

NOTHING_LEFT = frozenset({"attack_works", "nothing_left_auc"})
"""Names of the two checks; both must pass."""
_SURE = NormalDist().inv_cdf(0.96)
"""One-sided 95 %: a point more, since percentiles of remembered rows are skewed."""
_LEAST_ROWS = 30
"""Fewer rows bound nothing: a mean of them is not taken for normal."""
_UNIFORM_VARIANCE = 1 / 12


def nothing_left_checks(evidence: Evidence, policy: GatePolicy) -> tuple[Check, Check]:
    """Whether the attack works on this model, and the most that it gets out of these rows."""
    return (
        check(
            "attack_works",
            control_margin(evidence, policy),
            lower=0.0,
            meaning="No control shows that the attack works on this model, so that its silence "
            "proves nothing.",
        ),
        check(
            "nothing_left_auc",
            seen_at_most(evidence),
            upper=policy.nothing_left_auc,
            meaning="More may be seen of these rows than the policy calls nothing.",
        ),
    )


def seen_at_most(evidence: Evidence) -> float | None:
    """The AUC that no attack exceeds on these rows, of original and candidate; None if unbounded.

    Formula: the largest of the upper limits, one-sided 95 %, of every attack's AUC on original and
    candidate, of one less the candidate's lower limit, and of (1 + advantage) / 2, which is the AUC
    of who guesses by right answers alone. None for fewer than 30 rows, or if a number is missing.
    """
    found = evidence.forgetting
    if found.count < _LEAST_ROWS or not is_number(found.own.variance):
        return None
    least = (_UNIFORM_VARIANCE / found.count + found.own.variance) ** 0.5
    limits: list[float] = []
    for one in (found.judged, *found.others):
        known = (one.before, one.before_error, one.after, one.after_error)
        if not all(is_number(value) for value in known):
            return None
        doubt = _SURE * max(one.after_error, least)
        limits += [
            one.before + _SURE * max(one.before_error, least),
            one.after + doubt,
            1 - (one.after - doubt),
        ]
    for report, unseen in (
        (evidence.before, evidence.unseen_accuracy.before),
        (evidence.after, evidence.unseen_accuracy.after),
    ):
        gain = _gain_at_most(
            report.forget_accuracy, unseen, report.forget_count, report.holdout_count
        )
        if gain is None:
            return None
        limits.append((1 + gain) / 2)
    return max(limits)


def control_margin(evidence: Evidence, policy: GatePolicy) -> float | None:
    """By how much a control exceeds what a working attack must show; below 0 it does not work.

    Formula: AUC - (0.5 + (z of false alarm + z of power) * standard error), so that such rows are
    caught with the policy's power: of the canaries, or of the original's retain rows, which are
    many. With `require_canaries` only canaries count. None if there is no control.
    """
    margins = [_canaries_margin(evidence, policy)]
    if not policy.require_canaries:
        found = evidence.forgetting
        margins.append(_margin(found.judged.member_auc, found.member_error, policy))
    return max((one for one in margins if one is not None), default=None)


def _canaries_margin(evidence: Evidence, policy: GatePolicy) -> float | None:
    canaries = evidence.probes.canaries
    if canaries is None or not is_number(canaries.limit):
        return None
    error = (canaries.limit - 0.5) / NormalDist().inv_cdf(1 - policy.false_alarm)
    return _margin(canaries.seen, error, policy)


def _margin(auc: float, error: float | None, policy: GatePolicy) -> float | None:
    if error is None or not (is_number(auc) and is_number(error)):
        return None
    normal = NormalDist()
    alarm = normal.inv_cdf(1 - policy.false_alarm)
    power = normal.inv_cdf(min(max(policy.min_power, 1e-9), 1 - 1e-9))
    return auc - (0.5 + max(alarm + power, 0.0) * error)


def _gain_at_most(share: float, unseen: float, rows: int, others: int) -> float | None:
    """Upper limit of a difference of two shares, each with two hits and two misses more."""
    if not all(is_number(one) for one in (share, unseen, rows, others)) or min(rows, others) < 1:
        return None
    one, other = (share * rows + 2) / (rows + 4), (unseen * others + 2) / (others + 4)
    error = (one * (1 - one) / (rows + 4) + other * (1 - other) / (others + 4)) ** 0.5
    return one - other + _SURE * error

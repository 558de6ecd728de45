"""The gate's checks of forgetting: is the attack fit to judge, and what does it still find?"""

from statistics import NormalDist
from typing import Literal

from unlearning.config.gate_policy import GatePolicy
from unlearning.evidence.evidence import Evidence, ForgettingEvidence
from unlearning.gate.gate_checks import Check, check, difference, is_number
from unlearning.gate.nothing_left import NOTHING_LEFT, nothing_left_checks

_TOO_WEAK = frozenset({"known_positive", "attack_power", "canaries_caught", "canaries_made"})
WEAK_EVIDENCE = _TOO_WEAK | NOTHING_LEFT
"""Names of the checks that fail because the attack could have shown nothing."""
_OWN_SLACK = 0.25
_NO_REASON = "Why is not on record."


def forgetting_checks(evidence: Evidence, policy: GatePolicy) -> tuple[Check, ...]:
    """The checks; those of earlier batches only where this batch alone could show nothing.

    Where the attack could have shown nothing, it is asked how little these rows give away.
    """
    checks = _checks(evidence, policy)
    is_weak = any(one.name in _TOO_WEAK and not one.passed for one in checks)
    return (*checks, *nothing_left_checks(evidence, policy)) if is_weak else checks


def _checks(evidence: Evidence, policy: GatePolicy) -> tuple[Check, ...]:
    found = evidence.forgetting
    own = _is_decisive(found.judged.before, found.upper, found.power, policy)
    return (
        *_attack_checks(found, policy, pooled=not own),
        *_canary_checks(evidence, policy),
        check(
            "accuracy_advantage",
            difference(evidence.after.forget_accuracy, _unseen_accuracy(evidence, "after")),
            upper=max(policy.max_accuracy_advantage, _chance_advantage(evidence, policy)),
            meaning="The model knows the forget rows' labels better than those of unseen rows of "
            "their classes.",
        ),
        check(
            "mia_auc_upper",
            found.judged.after,
            upper=found.upper,
            meaning="The forget rows are still remembered.",
        ),
        check(
            "mia_auc_lower",
            found.judged.after,
            lower=found.lower,
            meaning="The forget rows stand out by looking newer than new (over-forgotten).",
        ),
    )


def _attack_checks(
    found: ForgettingEvidence, policy: GatePolicy, *, pooled: bool
) -> tuple[Check, ...]:
    """Could the attack have shown anything? Of this batch; else of the pool, which then counts."""
    pool = found.pooled
    decides = pooled and pool.count > found.own.count
    before = pool.before / pool.count if decides else found.judged.before
    upper = found.pooled_upper if decides else found.upper
    checks = (
        check(
            "known_positive",
            difference(before, upper),
            lower=0.0,
            meaning="The attack does not even catch the original on these rows.",
        ),
        check(
            "attack_power",
            found.pooled_power if decides else found.power,
            lower=policy.min_power,
            meaning="The rows are too few, or were learned too little, to tell.",
        ),
    )
    return (*checks, *_pooled_auc(found), _own_rows(found)) if decides else checks


def _own_rows(found: ForgettingEvidence) -> Check:
    """What a pool must not hide: few rows of this batch that stand where they stood."""
    return check(
        "own_rows_moved",
        found.judged.after,
        upper=0.5 + max(_OWN_SLACK, (found.judged.before - 0.5) / 2),
        meaning="Earlier batches speak for the update, but these rows themselves hardly moved.",
    )


def _canary_checks(evidence: Evidence, policy: GatePolicy) -> tuple[Check, ...]:
    """Canaries that are missing are named too: a control that was not made must not look passed."""
    canaries = evidence.probes.canaries
    if canaries is None:
        made = check(
            "canaries_made",
            0.0,
            lower=1.0 if policy.require_canaries else None,
            meaning=f"No control was possible. {evidence.probes.no_canaries or _NO_REASON}",
        )
        return (made,)
    caught = check(
        "canaries_caught",
        difference(canaries.seen, canaries.limit),
        lower=0.0,
        meaning="The attack does not see rows that were learned in this run to be seen.",
    )
    return (caught,)


def _pooled_auc(found: ForgettingEvidence) -> tuple[Check, Check]:
    """The pool on both sides, with this batch's rows for no better there than forgotten ones.

    So a better batch never fails for the pool, and a batch whose rows look forgotten by luck does
    not excuse what the update left of earlier ones, whether it was served or not: it is the update
    that is judged. The pool's power is the least that this rule has.
    """
    own, count = found.own, found.pooled.count
    earlier, fair = found.pooled.after - own.after, own.count / 2
    return (
        check(
            "pooled_mia_auc_upper",
            (earlier + max(own.after, fair)) / count,
            upper=found.pooled_upper,
            meaning="Over this and earlier batches, forget rows are still remembered.",
        ),
        check(
            "pooled_mia_auc_lower",
            (earlier + min(own.after, fair)) / count,
            lower=found.pooled_lower,
            meaning="Over this and earlier batches, forget rows look newer than new "
            "(over-forgotten).",
        ),
    )


def _is_decisive(before: float, upper: float, power: float, policy: GatePolicy) -> bool:
    known = all(is_number(one) for one in (before, upper, power))
    return known and before >= upper and power >= policy.min_power


def _unseen_accuracy(evidence: Evidence, when: Literal["before", "after"]) -> float:
    """Accuracy on unseen rows in the forget rows' mix of classes."""
    return getattr(evidence.unseen_accuracy, when)


def _chance_advantage(evidence: Evidence, policy: GatePolicy) -> float:
    """The advantage that chance alone gives once in 1 / `false_alarm`, at the original's rate."""
    share = _unseen_accuracy(evidence, "before")
    forget, unseen = evidence.before.forget_count, evidence.before.holdout_count
    counted = all(is_number(one) and one >= 1 for one in (forget, unseen))
    if not (counted and is_number(share) and 0 <= share <= 1):
        return 0.0
    spread = (share * (1 - share) * (1 / forget + 1 / unseen)) ** 0.5
    return NormalDist().inv_cdf(1 - policy.false_alarm) * spread

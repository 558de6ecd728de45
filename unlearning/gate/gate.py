"""The gate: may the candidate take the original's place?

Forgetting is judged two-sided, on the attack that catches the original best, with limits fixed by
the original and the number of rows (see `unlearning.evaluation.forgetting`): no candidate can move
its own limits. Missing or broken evidence of forgetting never passes for good evidence, and
evidence too weak to catch rows that are wholly remembered is "cannot decide". A loss of accuracy
counts as far as chance cannot explain it, and how large a one chance could hide has a limit too: on
too few rows no update passes for harmless. An exact retrain does pass there: no other way is left
to forget with the model in service, so what too few rows could not show is named, and holds up
nothing.
"""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from unlearning.config.gate_policy import GatePolicy
from unlearning.evidence.evidence import Evidence, ForgettingEvidence, Outcome
from unlearning.gate.completeness import completeness
from unlearning.gate.gate_checks import Check, check, difference, is_number
from unlearning.gate.gate_utility import LOST, TOO_FEW, utility_checks

_OWN_SLACK = 0.25
_EVIDENCE = frozenset({"known_positive", "attack_power", "canaries_caught", "canaries_made"})
_NO_REASON = "Why is not on record."
_MEASURED = "candidate_measured"


@dataclass(frozen=True, slots=True)
class GateDecision:
    """The outcome of all checks."""

    passed: bool
    checks: tuple[Check, ...]
    outcome: Outcome
    """What the evidence says of the forget rows."""

    @property
    def failed_names(self) -> tuple[str, ...]:
        """Names of the checks that failed, in order."""
        return tuple(check.name for check in self.checks if not check.passed)

    @property
    def lost_utility(self) -> bool:
        """Whether a check of utility failed."""
        return bool(LOST & set(self.failed_names))

    @property
    def has_too_few_rows(self) -> bool:
        """Whether utility was measured on too few rows to see a loss that matters."""
        return bool(TOO_FEW & set(self.failed_names))

    @property
    def lacks_rows(self) -> bool:
        """Whether all that failed did so for want of rows or evidence, which more rows may mend."""
        return set(self.failed_names) <= TOO_FEW | _EVIDENCE | {_MEASURED}

    @property
    def not_shown(self) -> tuple[str, ...]:
        """Names of the checks that failed for want of rows or evidence and were tolerated."""
        return self.failed_names if self.passed else ()

    @property
    def is_measured(self) -> bool:
        """Whether there was a candidate with evidence to judge."""
        return _MEASURED not in self.failed_names

    @property
    def why(self) -> str:
        """Outcome and failed checks, or what kept the candidate from being judged."""
        if not self.is_measured:
            return self.checks[0].meaning
        return f"{self.outcome}: {', '.join(self.failed_names)}"


def no_candidate(reason: str) -> GateDecision:
    """The decision where no candidate could be made or measured: nothing passes on no evidence.

    Args:
        reason: Why, in one sentence.
    """
    return GateDecision(
        passed=False, checks=(check(_MEASURED, None, meaning=reason),), outcome="cannot decide"
    )


def decide(evidence: Evidence, policy: GatePolicy, *, exact: bool = False) -> GateDecision:
    """The decision on a candidate, with every check named.

    Our choice of checks; all must pass, but for those of weak evidence where the policy accepts an
    undecided candidate, and those of too few rows after an exact retrain. A better candidate
    (higher retain, holdout or class accuracy, lower forget accuracy, or an AUC nearer to 0.5 on the
    same side) never fails where a worse one passed.

    Args:
        evidence: What was measured.
        policy: The limits; each is inclusive.
        exact: The candidate was trained anew on the retain set alone: it cannot remember rows that
            it never saw, so that only its evidence and its utility are judged, the latter by
            wider limits, since two trainings differ by chance.
    """
    checks = (*completeness(evidence), *utility_checks(evidence, policy, exact=exact))
    if not exact:
        checks += _forgetting(evidence, policy)
    failed = {check.name for check in checks if not check.passed}
    tolerated = _EVIDENCE if policy.undecided == "accept" else frozenset[str]()
    if exact:  # a number that is missing is no number of few rows
        tolerated |= TOO_FEW & {check.name for check in checks if check.value is not None}
    return GateDecision(not failed - tolerated, checks, _outcome(failed, exact=exact))


def _outcome(failed: set[str], *, exact: bool) -> Outcome:
    if "evidence_complete" in failed or "same_rows" in failed:
        return "cannot decide"
    if exact:
        return "forgotten"
    traces = {"mia_auc_upper", "pooled_mia_auc_upper", "own_rows_moved", "accuracy_advantage"}
    if failed & traces:
        return "remembered"
    if failed & {"mia_auc_lower", "pooled_mia_auc_lower"}:
        return "over-forgotten"
    return "cannot decide" if failed & _EVIDENCE else "forgotten"


def _forgetting(evidence: Evidence, policy: GatePolicy) -> tuple[Check, ...]:
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
        difference(canaries.planted, canaries.limit),
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
    """Accuracy on unseen rows in the forget rows' mix of classes, where that was measured."""
    if evidence.unseen_accuracy is not None:
        return getattr(evidence.unseen_accuracy, when)
    return getattr(evidence, when).holdout_accuracy


def _chance_advantage(evidence: Evidence, policy: GatePolicy) -> float:
    """The advantage that chance alone gives once in 1 / `false_alarm`, at the original's rate."""
    share = _unseen_accuracy(evidence, "before")
    forget, unseen = evidence.before.forget_count, evidence.before.holdout_count
    counted = all(is_number(one) and one >= 1 for one in (forget, unseen))
    if not (counted and is_number(share) and 0 <= share <= 1):
        return 0.0
    spread = (share * (1 - share) * (1 / forget + 1 / unseen)) ** 0.5
    return NormalDist().inv_cdf(1 - policy.false_alarm) * spread

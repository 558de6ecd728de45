"""The gate: may the candidate take the original's place?

Forgetting is judged two-sided, on the attack that catches the original best, with limits fixed by
the original and the number of rows (see `unlearning.forgetting`): no candidate can move its own
limits. Missing or broken evidence of forgetting never passes for good evidence, and evidence too
weak to catch rows that are wholly remembered is "cannot decide". A drop in accuracy counts as far
as chance cannot explain it, so on few rows a large one can pass.
"""

from dataclasses import dataclass, fields
from math import inf, isfinite
from statistics import NormalDist

from unlearning.config import GatePolicy
from unlearning.evaluation_report import EvaluationReport
from unlearning.evidence import Evidence, ForgettingEvidence, Outcome

_OWN_SLACK = 0.25
ROUNDING = 1e-9
"""Slack for the rounding of a difference of two shares; far below one row."""
_EVIDENCE = frozenset({"known_positive", "attack_power", "canaries_caught"})
_UTILITY = frozenset({"holdout_accuracy_drop", "retain_accuracy_drop", "class_accuracy_drop"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question the gate asks, with its answer."""

    name: str
    value: float | None
    """The number judged; None if it is missing or not finite."""
    lower: float | None
    """Smallest accepted value; None = no limit on this side."""
    upper: float | None
    """Largest accepted value; None = no limit on this side."""
    passed: bool
    meaning: str
    """What a failure would mean, in one sentence."""


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
        return bool(_UTILITY & set(self.failed_names))


def decide(evidence: Evidence, policy: GatePolicy, *, exact: bool = False) -> GateDecision:
    """The decision on a candidate, with every check named.

    Our choice of checks; all must pass, but for those of weak evidence where the policy accepts an
    undecided candidate. A better candidate (higher retain, holdout or class accuracy, lower forget
    accuracy, or an AUC nearer to 0.5 on the same side) never fails where a worse one passed.

    Args:
        evidence: What was measured.
        policy: The limits; each is inclusive.
        exact: The candidate was trained anew on the retain set alone: it cannot remember rows that
            it never saw, so that only its evidence and its utility are judged, the latter by
            wider limits, since two trainings differ by chance.
    """
    checks = (*_completeness(evidence), *_utility(evidence, policy, exact=exact))
    if not exact:
        checks += _forgetting(evidence, policy)
    failed = {check.name for check in checks if not check.passed}
    tolerated = _EVIDENCE if policy.undecided == "accept" else frozenset[str]()
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


def _completeness(evidence: Evidence) -> tuple[Check, ...]:
    before, after = evidence.before, evidence.after
    missing = sum(_unusable_count(report) for report in (before, after))
    return (
        _check(
            "evidence_complete",
            missing + _unusable_shares(evidence),
            upper=0,
            meaning="A number is missing, not finite or impossible, so nothing was shown.",
        ),
        _check(
            "same_rows",
            _difference_of_counts(before, after),
            upper=0,
            meaning="The two models were measured on different rows, so they do not compare.",
        ),
    )


def _utility(evidence: Evidence, policy: GatePolicy, *, exact: bool) -> tuple[Check, ...]:
    def limit(usual: float, after_retrain: float = policy.max_exact_accuracy_drop) -> float:
        return max(usual, after_retrain) if exact else usual

    checks = (
        _check(
            "holdout_accuracy_drop",
            evidence.holdout_drop.certain,
            upper=limit(policy.max_holdout_accuracy_drop),
            meaning="The candidate serves new people worse than the original.",
        ),
        _check(
            "retain_accuracy_drop",
            evidence.retain_drop.certain,
            upper=limit(policy.max_retain_accuracy_drop),
            meaning="The candidate lost what it had learned from people who stay.",
        ),
    )
    if evidence.class_drop is None:
        return checks
    worst = _check(
        "class_accuracy_drop",
        evidence.class_drop.certain,
        upper=limit(policy.max_class_accuracy_drop, policy.max_exact_class_accuracy_drop),
        meaning="The candidate serves new people of one class far worse than the original.",
    )
    return (*checks, worst)


def _forgetting(evidence: Evidence, policy: GatePolicy) -> tuple[Check, ...]:
    found = evidence.forgetting
    own = _is_decisive(found.judged.before, found.upper, found.power, policy)
    return (
        *_attack_checks(found, policy, pooled=not own),
        *_canary_checks(evidence),
        _check(
            "accuracy_advantage",
            _difference(evidence.after.forget_accuracy, evidence.after.holdout_accuracy),
            upper=max(policy.max_accuracy_advantage, _chance_advantage(evidence, policy)),
            meaning="The model knows the forget rows' labels better than those of unseen rows.",
        ),
        _check(
            "mia_auc_upper",
            found.judged.after,
            upper=found.upper,
            meaning="The forget rows are still remembered.",
        ),
        _check(
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
        _check(
            "known_positive",
            _difference(before, upper),
            lower=0.0,
            meaning="The attack does not even catch the original on these rows.",
        ),
        _check(
            "attack_power",
            found.pooled_power if decides else found.power,
            lower=policy.min_power,
            meaning="The rows are too few, or were learned too little, to tell.",
        ),
    )
    return (*checks, _pooled_auc(found), _own_rows(found)) if decides else checks


def _own_rows(found: ForgettingEvidence) -> Check:
    """What a pool must not hide: few rows of this batch that stand where they stood."""
    return _check(
        "own_rows_moved",
        found.judged.after,
        upper=0.5 + max(_OWN_SLACK, (found.judged.before - 0.5) / 2),
        meaning="Earlier batches speak for the update, but these rows themselves hardly moved.",
    )


def _canary_checks(evidence: Evidence) -> tuple[Check, ...]:
    canaries = evidence.probes.canaries
    if canaries is None:
        return ()
    caught = _check(
        "canaries_caught",
        _difference(canaries.planted, canaries.limit),
        lower=0.0,
        meaning="The attack does not see rows that were learned in this run to be seen.",
    )
    return (caught,)


def _pooled_auc(found: ForgettingEvidence) -> Check:
    """The pool on the side on which this batch lies, so that a better batch never fails for it."""
    value = found.pooled.after / found.pooled.count
    if found.judged.after >= 0.5:  # noqa: PLR2004 - chance
        return _check(
            "pooled_mia_auc_upper",
            value,
            upper=found.pooled_upper,
            meaning="Over this and earlier batches, forget rows are still remembered.",
        )
    return _check(
        "pooled_mia_auc_lower",
        value,
        lower=found.pooled_lower,
        meaning="Over this and earlier batches, forget rows look newer than new (over-forgotten).",
    )


def _is_decisive(before: float, upper: float, power: float, policy: GatePolicy) -> bool:
    known = all(_is_number(one) for one in (before, upper, power))
    return known and before >= upper and power >= policy.min_power


def _chance_advantage(evidence: Evidence, policy: GatePolicy) -> float:
    """The advantage that chance alone gives once in 1 / `false_alarm`, at the original's rate."""
    share, count = evidence.before.holdout_accuracy, evidence.before.forget_count
    if not (_is_number(share) and _is_number(count) and count >= 1 and 0 <= share <= 1):
        return 0.0
    return NormalDist().inv_cdf(1 - policy.false_alarm) * (share * (1 - share) / count) ** 0.5


def _check(
    name: str,
    value: float | None,
    *,
    lower: float | None = None,
    upper: float | None = None,
    meaning: str,
) -> Check:
    known = value if _is_number(value) else None
    passed = known is not None and (
        (-inf if lower is None else lower) - ROUNDING
        <= known
        <= (inf if upper is None else upper) + ROUNDING
    )
    return Check(name=name, value=known, lower=lower, upper=upper, passed=passed, meaning=meaning)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and isfinite(value)


def _difference(one: float, other: float) -> float | None:
    return one - other if _is_number(one) and _is_number(other) else None


def _unusable_count(report: EvaluationReport) -> int:
    """How many numbers of the report cannot be what their name says."""
    return sum(not _is_usable(item.name, getattr(report, item.name)) for item in fields(report))


def _is_usable(name: str, value: float) -> bool:
    if not _is_number(value) or value < 0:
        return False
    if name.endswith("_count"):
        return value >= 1
    return value <= 1 or not name.endswith(("_accuracy", "_auc"))


def _unusable_shares(evidence: Evidence) -> int:
    """How many numbers of the attack are no share between 0 and 1."""
    found = evidence.forgetting
    shares = (
        *(found.judged.before, found.judged.after, found.judged.member_auc, found.power),
        *(found.pooled_power, found.pooled.before / max(found.pooled.count, 1)),
        found.pooled.after / max(found.pooled.count, 1),
    )
    wrong = sum(not _is_number(one) or not -ROUNDING <= one <= 1 + ROUNDING for one in shares)
    limits = (found.lower, found.upper, found.pooled_lower, found.pooled_upper)
    return wrong + sum(not _is_number(one) for one in limits) + (found.count < 1)


def _difference_of_counts(before: EvaluationReport, after: EvaluationReport) -> int | None:
    """Rows by which the two measurements differ, over the three sets."""
    names = [item.name for item in fields(after) if item.name.endswith("_count")]
    pairs = [(getattr(before, name), getattr(after, name)) for name in names]
    if not all(_is_number(value) for pair in pairs for value in pair):
        return None
    return sum(abs(one - other) for one, other in pairs)

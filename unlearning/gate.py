"""The gate: may the unlearned model take the original's place?

Every check is two-sided where a number can be wrong in two ways, and fails on a missing number.

Sampling error never helps a model through. `mia_auc` itself must lie within its limits, with no
allowance, and a separate check refuses evidence too weak to tell forgotten from remembered. With
both, a pass says: at the policy's confidence, the true AUC exceeds no limit by more than
`max_mia_uncertainty`. The two usual alternatives are worse: judging auc - z * se passes every small
request unseen, and judging auc + z * se refuses even a retrained model of medium size. A request
that fails for weak evidence alone is undecided, not remembered: see `GateDecision.is_undecided`.
"""

from dataclasses import dataclass, fields
from math import inf, isfinite

from unlearning.config import GatePolicy
from unlearning.evaluation_report import EvaluationReport

ROUNDING = 1e-9
"""Slack for the rounding of a difference of two shares; far below one row."""


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

    @property
    def failed_names(self) -> tuple[str, ...]:
        """Names of the checks that failed, in order."""
        return tuple(check.name for check in self.checks if not check.passed)

    @property
    def is_undecided(self) -> bool:
        """Whether weak evidence is the only thing that speaks against the model."""
        return self.failed_names == ("mia_evidence",)


def decide(before: EvaluationReport, after: EvaluationReport, policy: GatePolicy) -> GateDecision:
    """The decision on a candidate, with every check named.

    Our choice of checks; all must pass. A better candidate (higher retain or holdout accuracy,
    lower forget accuracy, or `mia_auc` nearer to 0.5 on the same side) never fails where a worse
    one passed.

    Args:
        before: The original model.
        after: The candidate, measured on the same rows.
        policy: The limits; each is inclusive.
    """
    checks = (*_evidence_checks(before, after), *_utility_checks(before, after, policy))
    checks += _forgetting_checks(after, policy)
    return GateDecision(all(check.passed for check in checks), checks)


def _evidence_checks(before: EvaluationReport, after: EvaluationReport) -> tuple[Check, ...]:
    missing = sum(_unusable_count(report) for report in (before, after))
    return (
        _check(
            "evidence_complete",
            missing,
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


def _utility_checks(
    before: EvaluationReport, after: EvaluationReport, policy: GatePolicy
) -> tuple[Check, ...]:
    return (
        _check(
            "holdout_accuracy_drop",
            _drop(before.holdout_accuracy, after.holdout_accuracy),
            upper=policy.max_holdout_accuracy_drop,
            meaning="The candidate serves new people worse than the original.",
        ),
        _check(
            "retain_accuracy_drop",
            _drop(before.retain_accuracy, after.retain_accuracy),
            upper=policy.max_retain_accuracy_drop,
            meaning="The candidate lost what it had learned from people who stay.",
        ),
    )


def _forgetting_checks(after: EvaluationReport, policy: GatePolicy) -> tuple[Check, ...]:
    half_width = _product(policy.confidence_z, after.mia_standard_error)
    return (
        _check(
            "mia_evidence",
            half_width,
            lower=0.0,
            upper=policy.max_mia_uncertainty,
            meaning="The rows are too few to tell forgotten from remembered.",
        ),
        _check(
            "accuracy_advantage",
            _drop(after.forget_accuracy, after.holdout_accuracy),
            upper=policy.max_accuracy_advantage,
            meaning="The model knows the forget rows' labels better than those of unseen rows.",
        ),
        _check(
            "mia_auc_upper",
            after.mia_auc,
            upper=policy.max_mia_auc,
            meaning="The forget rows are still remembered.",
        ),
        _check(
            "mia_auc_lower",
            after.mia_auc,
            lower=policy.min_mia_auc,
            meaning="The forget rows stand out by their high loss (over-forgotten).",
        ),
    )


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


def _drop(before: float, after: float) -> float | None:
    return before - after if _is_number(before) and _is_number(after) else None


def _product(left: float, right: float) -> float | None:
    return left * right if _is_number(left) and _is_number(right) else None


def _unusable_count(report: EvaluationReport) -> int:
    """How many numbers of the report cannot be what their name says."""
    return sum(not _is_usable(item.name, getattr(report, item.name)) for item in fields(report))


def _is_usable(name: str, value: float) -> bool:
    if not _is_number(value) or value < 0:
        return False
    if name.endswith("_count"):
        return value >= 1
    return value <= 1 or not name.endswith(("_accuracy", "_auc"))


def _difference_of_counts(before: EvaluationReport, after: EvaluationReport) -> int | None:
    """Rows by which the two measurements differ, over the three sets."""
    names = [item.name for item in fields(after) if item.name.endswith("_count")]
    pairs = [(getattr(before, name), getattr(after, name)) for name in names]
    if not all(_is_number(value) for pair in pairs for value in pair):
        return None
    return sum(abs(one - other) for one, other in pairs)

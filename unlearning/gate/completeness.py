"""Is the evidence whole? Asked before anything is read from it."""

from dataclasses import fields

from unlearning.evidence.evidence import Evidence
from unlearning.evidence.utility_report import EvaluationReport
from unlearning.gate.gate_checks import ROUNDING, Check, check, is_number


def completeness(evidence: Evidence) -> tuple[Check, ...]:
    """Whether every number is there and both models were measured on the same rows."""
    before, after = evidence.before, evidence.after
    missing = sum(_unusable_count(report) for report in (before, after))
    return (
        check(
            "evidence_complete",
            missing + _unusable_shares(evidence),
            upper=0,
            meaning="A number is missing, not finite or impossible, so nothing was shown.",
        ),
        check(
            "same_rows",
            _difference_of_counts(before, after),
            upper=0,
            meaning="The two models were measured on different rows, so they do not compare.",
        ),
    )


def _unusable_count(report: EvaluationReport) -> int:
    """How many numbers of the report cannot be what their name says."""
    return sum(not _is_usable(item.name, getattr(report, item.name)) for item in fields(report))


def _is_usable(name: str, value: float) -> bool:
    if not is_number(value) or value < 0:
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
    wrong = sum(not is_number(one) or not -ROUNDING <= one <= 1 + ROUNDING for one in shares)
    limits = (found.lower, found.upper, found.pooled_lower, found.pooled_upper)
    return wrong + sum(not is_number(one) for one in limits) + (found.count < 1)


def _difference_of_counts(before: EvaluationReport, after: EvaluationReport) -> int | None:
    """Rows by which the two measurements differ, over the three sets."""
    names = [item.name for item in fields(after) if item.name.endswith("_count")]
    pairs = [(getattr(before, name), getattr(after, name)) for name in names]
    if not all(is_number(value) for pair in pairs for value in pair):
        return None
    return sum(abs(one - other) for one, other in pairs)

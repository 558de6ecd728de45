"""The gate's checks of utility: what was lost for certain, and what too few rows could hide."""

from unlearning.config.gate_policy import GatePolicy
from unlearning.evidence.evidence import AccuracyDrop, Evidence
from unlearning.gate.gate_checks import Check, check

LOST = frozenset(f"{rows}_accuracy_drop" for rows in ("holdout", "retain", "class", "slice"))
"""Names of the checks that fail for a loss that chance cannot explain."""
TOO_FEW = frozenset({"possible_holdout_drop", "possible_retain_drop"})
"""Names of the checks that fail because so few rows could hide a loss that matters."""


def utility_checks(evidence: Evidence, policy: GatePolicy, *, exact: bool) -> tuple[Check, ...]:
    """The checks; after an exact retrain by wider limits, since two trainings differ by chance."""

    def limit(usual: float, after_retrain: float = policy.max_exact_accuracy_drop) -> float:
        return max(usual, after_retrain) if exact else usual

    hidden = limit(policy.max_possible_drop, policy.max_exact_possible_drop)
    checks = (
        *_drop_checks(
            "holdout",
            evidence.holdout_drop,
            limit(policy.max_holdout_accuracy_drop),
            hidden,
            meaning="The candidate serves new people worse than the original.",
        ),
        *_drop_checks(
            "retain",
            evidence.retain_drop,
            limit(policy.max_retain_accuracy_drop),
            hidden,
            meaning="The candidate lost what it had learned from people who stay.",
        ),
    )
    groups = (
        ("class", evidence.class_drop, policy.max_class_accuracy_drop,
         policy.max_exact_class_accuracy_drop),
        ("slice", evidence.slice_drop, policy.max_slice_accuracy_drop,
         policy.max_exact_slice_accuracy_drop),
    )  # fmt: skip
    return checks + tuple(
        check(
            f"{group}_accuracy_drop",
            drop.certain,
            upper=limit(usual, after_retrain),
            meaning=f"The candidate serves new people of one {group} far worse than the original.",
        )
        for group, drop, usual, after_retrain in groups
        if drop is not None
    )


def _drop_checks(
    rows: str, drop: AccuracyDrop, limit: float, hidden: float, *, meaning: str
) -> tuple[Check, ...]:
    certain = check(f"{rows}_accuracy_drop", drop.certain, upper=limit, meaning=meaning)
    if not certain.passed:
        return (certain,)  # there are rows enough to see it
    possible = check(
        f"possible_{rows}_drop",
        drop.highest,
        upper=max(limit, hidden),
        meaning=f"The {rows} rows are too few to see a loss that matters.",
    )
    return certain, possible

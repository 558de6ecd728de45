"""The gate's checks of utility: what was lost for certain, and what too few rows could hide."""

from unlearning.config.gate_policy import GatePolicy
from unlearning.evidence.evidence import AccuracyLoss, Evidence
from unlearning.gate.gate_checks import Check, check

LOST = frozenset(
    {f"{rows}_accuracy_loss" for rows in ("holdout", "retain", "class", "slice")}
    | {"holdout_error_rise"}
)
"""Names of the checks that fail for a loss that chance cannot explain."""
TOO_FEW = frozenset({"possible_holdout_loss", "possible_retain_loss"})
"""Names of the checks that fail because so few rows could hide a loss that matters."""


def utility_checks(evidence: Evidence, policy: GatePolicy, *, exact: bool) -> tuple[Check, ...]:
    """The checks; after an exact retrain by wider limits, since two trainings differ by chance.

    Such a retrain is not judged by the rows that it was trained on: one that fits them less may
    generalise better. What became of them is stated, without a limit.
    """

    def limit(usual: float, after_retrain: float = policy.max_exact_accuracy_loss) -> float:
        return max(usual, after_retrain) if exact else usual

    hidden = limit(policy.max_possible_loss, policy.max_exact_possible_loss)
    checks = (
        *_loss_checks(
            "holdout",
            evidence.holdout_accuracy_loss,
            limit(policy.max_holdout_accuracy_loss),
            hidden,
            meaning="The candidate serves new people worse than the original.",
        ),
        *_loss_checks(
            "retain",
            evidence.retain_accuracy_loss,
            None if exact else policy.max_retain_accuracy_loss,
            hidden,
            meaning="The candidate lost what it had learned from people who stay.",
        ),
    )
    checks += _number_checks(evidence, limit(policy.max_error_rise, policy.max_exact_error_rise))
    groups = (
        ("class", evidence.class_accuracy_loss, policy.max_class_accuracy_loss,
         policy.max_exact_class_accuracy_loss),
        ("slice", evidence.slice_accuracy_loss, policy.max_slice_accuracy_loss,
         policy.max_exact_slice_accuracy_loss),
    )  # fmt: skip
    return checks + tuple(
        check(
            f"{group}_accuracy_loss",
            loss.certain,
            upper=limit(usual, after_retrain),
            meaning=f"The candidate serves new people of one {group} far worse than the original.",
        )
        for group, loss, usual, after_retrain in groups
        if loss is not None
    )


def _number_checks(evidence: Evidence, limit: float) -> tuple[Check, ...]:
    if evidence.holdout_error is None:
        return ()
    meaning = "The candidate's numbers are further off for new people than the original's."
    rise = evidence.holdout_error.certain_rise
    return (check("holdout_error_rise", rise, upper=limit, meaning=meaning),)


def _loss_checks(
    rows: str, loss: AccuracyLoss, limit: float | None, hidden: float, *, meaning: str
) -> tuple[Check, ...]:
    certain = check(f"{rows}_accuracy_loss", loss.certain, upper=limit, meaning=meaning)
    if limit is None or not certain.passed:
        return (certain,)  # nothing is asked, or there are rows enough to see it
    possible = check(
        f"possible_{rows}_loss",
        loss.possible,
        upper=max(limit, hidden),
        meaning=f"The {rows} rows are too few to see a loss that matters.",
    )
    return certain, possible

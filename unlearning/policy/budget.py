"""The deletion budget: how far a model may drift by approximate updates before a retrain."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from unlearning.config.deletion_budget import DeletionBudget
from unlearning.config.unlearning_config import MethodName
from unlearning.errors import DataError

RETRAIN: MethodName = "retrain"
"""The exact method: fresh weights, trained on the retain set alone."""
_ROUNDING = 1e-9
_LEAST_CLASS = 50
"""Training rows of a class below which the share that one request takes says nothing."""


def is_exact(method: str) -> bool:
    """Whether the method's result owes nothing to the forget rows, so that counting begins anew."""
    return method == RETRAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletions:
    """What a model has been made to forget since it was last trained exactly.

    Raises:
        DataError: a count is negative.
    """

    trained_rows: int
    """Rows of the last exact training."""
    forgotten: int = 0
    """Rows unlearned approximately since then."""
    updates: int = 0
    """Approximate updates since then."""

    def __post_init__(self) -> None:
        if min(self.trained_rows, self.forgotten, self.updates) < 0:
            raise DataError(
                f"{self.forgotten} rows forgotten in {self.updates} updates out of "
                f"{self.trained_rows} rows cannot be; enrol the model again with its own table."
            )

    def after(self, forget_count: int, method: str, *, row_count: int) -> "Deletions":
        """The deletions after one more batch: one update more, or a count that starts anew.

        Args:
            forget_count: Rows of the batch.
            method: How they were unlearned.
            row_count: Rows of the training snapshot, those of the batch among them.

        Raises:
            DataError: the batch has more rows than the snapshot.
        """
        if is_exact(method):
            return Deletions(trained_rows=row_count - forget_count)
        return replace(self, forgotten=self.forgotten + forget_count, updates=self.updates + 1)


def why_over_budget(budget: DeletionBudget, deletions: Deletions, forget_count: int) -> str:
    """Why the next batch does not fit into the budget, in one sentence; empty if it fits.

    The batch counts: what the model will have forgotten after it is compared with both limits.
    Once nothing is left, no batch fits until the model is trained exactly; a batch that does not
    fit never fits after further approximate updates, nor does a larger one.

    Args:
        budget: The limits; both are inclusive.
        deletions: What was forgotten since the last exact training.
        forget_count: Rows of the next batch; at least 1.
    """
    updates, forgotten = deletions.updates + 1, deletions.forgotten + forget_count
    if updates > budget.max_updates:
        return f"It would be approximate update {updates} in a row; at most {budget.max_updates}."
    if forgotten > budget.max_share * deletions.trained_rows + _ROUNDING:
        return (
            f"It would make {forgotten} of {deletions.trained_rows} trained rows unlearned "
            f"approximately; at most {budget.max_share:.1%}."
        )
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassShare:
    """How much of the class that a batch hits hardest it would take."""

    label: int
    share: float
    """Which share of the class's training rows."""


def hardest_hit(forget: Mapping[int, int], table: Mapping[int, int]) -> ClassShare | None:
    """The class of which the batch takes most, known before any update; None if all are small.

    Args:
        forget: Forget rows by class.
        table: Training rows by class; classes of fewer than fifty are left out.
    """
    found = [
        ClassShare(label=label, share=count / table[label])
        for label, count in sorted(forget.items())
        if table.get(label, 0) >= _LEAST_CLASS
    ]
    return max(found, key=lambda one: one.share, default=None)


def why_suspicious(budget: DeletionBudget, hit: ClassShare | None) -> str:
    """Why the batch may be crafted to do harm, in one sentence; empty if nothing says so.

    Crafted deletion requests can make approximate updates do harm (Zhao et al., NeurIPS 2023); what
    a retrain loses is the rows alone. People of one kind may leave together, so it is a suspicion
    and no more.

    Args:
        budget: The limit, inclusive.
        hit: The class that the batch hits hardest.
    """
    limit = max(budget.max_class_share, budget.max_share)
    if hit is None or hit.share <= limit + _ROUNDING:
        return ""
    return (
        f"It would unlearn {hit.share:.1%} of the training rows of class {hit.label} "
        f"approximately; at most {limit:.1%}, since a batch so one-sided may be crafted to do harm."
    )

"""How far a model may drift by approximate updates before it is retrained."""

from dataclasses import dataclass

from unlearning.config.limits import require_at_least, require_within


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionBudget:
    """How much may be unlearned approximately before the model must be retrained."""

    max_share: float = 0.10
    """Largest share of the rows of the last exact training that may be unlearned approximately; 0
    retrains at every request, 1 sets no limit."""
    max_class_share: float = 0.25
    """Largest share of one class's training rows that a batch may unlearn approximately, or
    `max_share` if that is larger. So one-sided a batch may be crafted to make an update do harm; it
    is not refused but retrained. 1 sets no limit."""
    max_updates: int = 10
    """Most approximate updates in a row since the last exact training; at least 0. Drift is
    measured in benchmarks/sequential.py, so far on one case."""

    def __post_init__(self) -> None:
        require_within("max_share", self.max_share, 0.0, 1.0)
        require_within("max_class_share", self.max_class_share, 0.0, 1.0)
        require_at_least("max_updates", self.max_updates, 0)

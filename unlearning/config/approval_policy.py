"""When a person must say yes before a batch goes ahead."""

from dataclasses import dataclass

from unlearning.config.limits import require_at_least, require_within


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalPolicy:
    """How much a batch may make a model forget before a person must approve it."""

    max_share: float = 0.10
    """Largest share of the model's training rows that a batch may forget without approval. The
    default is that of the deletion budget: beyond it a batch costs a retrain, and so large a
    part of the people is more often a mistake in a file than a wish of theirs."""
    max_rows: int = 100_000
    """Most rows that a batch may forget without approval, whatever their share; at least 0."""
    always: bool = False
    """Whether every batch needs approval."""

    def __post_init__(self) -> None:
        require_within("max_share", self.max_share, 0.0, 1.0)
        require_at_least("max_rows", self.max_rows, 0)

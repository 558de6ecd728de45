"""The numbers that the gate judges a model by."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationReport:
    """Model utility and forgetting of one model on the three row sets."""

    retain_accuracy: float
    """Share of retain rows classified rightly, 0 to 1; the next two alike."""
    forget_accuracy: float
    holdout_accuracy: float
    retain_loss: float
    """Mean cross-entropy loss over the retain rows, in nats; the next two alike."""
    forget_loss: float
    holdout_loss: float
    mia_auc: float
    """Membership inference, forget against holdout rows: 0.5 = forgotten, 1.0 = remembered."""
    mia_standard_error: float
    """Standard error of `mia_auc`."""
    retain_count: int
    """Retain rows measured; the next two alike."""
    forget_count: int
    holdout_count: int

    def as_dict(self) -> dict[str, float]:
        """The report as plain numbers by name, ready for JSON."""
        return asdict(self)

"""How well a model's own training rows can be told from others: what any test of it rests on."""

from dataclasses import dataclass

from unlearning.evidence.evidence import AttackName


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackPower:
    """How well the best attack tells a model's own training rows from unseen rows."""

    attack: AttackName
    auc: float
    """Mean percentile of training rows among unseen rows of their class; 0.5 = not at all."""
    deviation: float
    """Standard deviation of their percentiles."""
    holdout_variance: float
    """See `unlearning.attacks.percentiles.Percentiles`."""

"""The numbers that a model is trained with, at enrolment and in an exact retrain."""

from dataclasses import dataclass
from math import inf
from typing import Literal, get_args

from unlearning.config.limits import (
    require_at_least,
    require_one_of,
    require_positive,
    require_within,
)

Restriction = Literal["global", "per_tensor", "none"]
Derivative = Literal["finite_difference", "exact"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """How a new model is trained, with or without gradient restriction."""

    epochs: int = 30
    """Passes over the training rows; at least 1."""
    batch_size: int = 256
    """Rows in one mini-batch; at least 1."""
    learning_rate: float = 1e-3
    """Learning rate of Adam; above 0."""
    alpha: float = 0.005
    """Weight of the gradient norm in the restricted loss; 0 switches it off."""
    restriction: Restriction = "global"
    """Which norm: one over all parameters ("global", the paper's formula), the sum of one norm for
    each tensor ("per_tensor", what the published script does), or "none"."""
    derivative: Derivative = "finite_difference"
    """How the norm is differentiated: from a second gradient at a small distance (two backward
    passes), or exactly by double backward (measured: two to five)."""
    radius: float = 0.005
    """That distance in weight space; above 0. With radius = alpha the second gradient is the whole
    answer, which is sharpness-aware minimisation."""
    seed: int = 0
    """Seed of the shuffling and of dropout; at least 0."""

    def __post_init__(self) -> None:
        require_at_least("epochs", self.epochs, 1)
        require_at_least("batch_size", self.batch_size, 1)
        require_positive("learning_rate", self.learning_rate)
        require_within("alpha", self.alpha, 0.0, inf)
        require_one_of("restriction", self.restriction, get_args(Restriction))
        require_one_of("derivative", self.derivative, get_args(Derivative))
        require_positive("radius", self.radius)
        require_at_least("seed", self.seed, 0)

"""The numbers that the mathematics is run with; a configuration out of range cannot be built."""

from dataclasses import dataclass
from math import inf
from typing import Literal, get_args

Restriction = Literal["global", "per_tensor", "none"]
MethodName = Literal["calibrated", "reference_step", "theory_step"]


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
    each tensor ("per_tensor", what the public reference script does), or "none"."""
    seed: int = 0
    """Seed of the shuffling and of dropout; at least 0."""

    def __post_init__(self) -> None:
        _at_least("epochs", self.epochs, 1)
        _at_least("batch_size", self.batch_size, 1)
        _positive("learning_rate", self.learning_rate)
        _within("alpha", self.alpha, 0.0, inf)
        _one_of("restriction", self.restriction, get_args(Restriction))
        _at_least("seed", self.seed, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlearningConfig:
    """Which update is made to forget rows, and how far it goes."""

    method: MethodName = "calibrated"
    """Name of the update; see `unlearning.methods.METHODS`."""
    learning_rate: float = 1e-3
    """Learning rate of the fresh Adam in the reference step: about how far each weight moves."""
    step_size: float = 1.0
    """Eta of the theory step: it stands where the influence form has the inverse Hessian."""
    chunk_size: int = 1024
    """Rows in memory at a time; changes the result only within rounding."""
    retain_sample: int = 2000
    """Largest number of retain rows that a method may read besides the ledger."""
    holdout_sample: int = 2000
    """Largest number of holdout rows that a method may read."""
    seed: int = 0
    """Seed of every random choice of a method; at least 0."""

    def __post_init__(self) -> None:
        _one_of("method", self.method, get_args(MethodName))
        _positive("learning_rate", self.learning_rate)
        _positive("step_size", self.step_size)
        _at_least("chunk_size", self.chunk_size, 1)
        _at_least("retain_sample", self.retain_sample, 1)
        _at_least("holdout_sample", self.holdout_sample, 1)
        _at_least("seed", self.seed, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatePolicy:
    """How much utility may be lost, and what counts as forgotten."""

    max_holdout_accuracy_drop: float = 0.02
    """Largest loss of holdout accuracy, as a share of rows (0.02 = two points of a hundred)."""
    max_retain_accuracy_drop: float = 0.05
    """Largest loss of retain accuracy. Wider: a retrained model loses memorised retain rows too."""
    max_mia_auc: float = 0.55
    """Highest accepted `mia_auc`; above it the forget rows are still remembered."""
    min_mia_auc: float = 0.45
    """Lowest accepted `mia_auc`; below it forgetting itself marks the rows (over-forgotten)."""
    max_mia_uncertainty: float = 0.05
    """Widest accepted half-width `confidence_z` * standard error of `mia_auc`; about 130 forget
    rows reach 0.05. A wider one cannot tell forgotten from remembered."""
    confidence_z: float = 1.96
    """Standard errors in that half-width; 1.96 is 97.5 % confidence to each side."""

    def __post_init__(self) -> None:
        _within("max_holdout_accuracy_drop", self.max_holdout_accuracy_drop, 0.0, 1.0)
        _within("max_retain_accuracy_drop", self.max_retain_accuracy_drop, 0.0, 1.0)
        _within("max_mia_auc", self.max_mia_auc, 0.5, 1.0)
        _within("min_mia_auc", self.min_mia_auc, 0.0, 0.5)
        _within("max_mia_uncertainty", self.max_mia_uncertainty, 0.0, 0.5)
        _positive("confidence_z", self.confidence_z)


def _at_least(name: str, value: int, lowest: int) -> None:
    if not value >= lowest:
        raise ValueError(f"{name} is {value}; give at least {lowest}.")


def _positive(name: str, value: float) -> None:
    if not 0.0 < value < inf:
        raise ValueError(f"{name} is {value}; give a finite number above 0.")


def _within(name: str, value: float, lowest: float, highest: float) -> None:
    if not (lowest <= value <= highest and value < inf):
        raise ValueError(f"{name} is {value}; give a finite number from {lowest} to {highest}.")


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} is {value!r}; choose one of {', '.join(choices)}.")

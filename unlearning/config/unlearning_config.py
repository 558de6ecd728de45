"""Which update is made to forget rows, and the numbers it is made with."""

from dataclasses import dataclass, field
from typing import Literal, get_args

from unlearning.config.calibration_config import CalibrationConfig
from unlearning.config.limits import require_at_least, require_one_of, require_positive
from unlearning.config.method_configs import CurvatureConfig, DescentConfig, ScrubConfig
from unlearning.config.training_config import TrainingConfig

Precision = Literal["float32", "bfloat16"]
MethodName = Literal[
    "calibrated",
    "published_step",
    "theory_step",
    "first_order_influence",
    "influence_cg",
    "fine_tune",
    "gradient_ascent",
    "neggrad_plus",
    "scrub",
    "fisher_forgetting",
    "ssd",
    "retrain",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlearningConfig:
    """Which update is made to forget rows, and how far it goes."""

    method: MethodName = "calibrated"
    """Name of the update; benchmarks/RESULTS.md compares them."""
    learning_rate: float = 1e-3
    """Learning rate of the fresh Adam in the published step: about how far each weight moves."""
    step_size: float = 1.0
    """Eta of the theory step: it stands where the influence form has the inverse Hessian."""
    chunk_size: int = 1024
    """Rows in memory at a time in a pass over a set; changes the result only within rounding. The
    batches of a method that takes steps have sizes of their own."""
    precision: Precision = "float32"
    """Type of the forward passes behind a gradient ledger and the two steps that take one; bfloat16
    is faster on a GPU and keeps three digits. Sums are float64 in either, and other methods work in
    float32."""
    retain_sample: int = 4000
    """Largest number of retain rows that a method may read besides the ledger."""
    holdout_sample: int = 2000
    """Largest number of holdout rows that a method may read."""
    seed: int = 0
    """Seed of every random choice of a method; at least 0."""
    calibration: CalibrationConfig = field(default_factory=CalibrationConfig)
    """How the calibrated update goes; the other methods leave it alone."""
    retraining: TrainingConfig = field(default_factory=TrainingConfig)
    """How the method "retrain" trains."""
    fine_tuning: DescentConfig = field(
        default_factory=lambda: DescentConfig(epochs=10, learning_rate=3e-3)
    )
    """Steps of fine-tuning."""
    ascent: DescentConfig = field(default_factory=lambda: DescentConfig(learning_rate=1e-4))
    """Steps of gradient ascent."""
    neggrad: DescentConfig = field(default_factory=lambda: DescentConfig(epochs=3))
    """Steps of NegGrad+."""
    scrub: ScrubConfig = field(default_factory=ScrubConfig)
    """Steps of SCRUB."""
    curvature: CurvatureConfig = field(default_factory=CurvatureConfig)
    """Numbers of influence with conjugate gradients, Fisher forgetting and SSD."""

    def __post_init__(self) -> None:
        require_one_of("method", self.method, get_args(MethodName))
        require_positive("learning_rate", self.learning_rate)
        require_positive("step_size", self.step_size)
        require_at_least("chunk_size", self.chunk_size, 1)
        require_one_of("precision", self.precision, get_args(Precision))
        require_at_least("retain_sample", self.retain_sample, 1)
        require_at_least("holdout_sample", self.holdout_sample, 1)
        require_at_least("seed", self.seed, 0)

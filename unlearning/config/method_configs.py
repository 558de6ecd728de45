"""The numbers of the peer methods: what each of them needs besides the problem itself.

The defaults, also those in `UnlearningConfig`, are the best of a short sweep of each method on two
trained models (Location30 and CIFAR-10, one seed, 5 % forgotten), judged on the very rows that the
benchmark reports for that seed: a choice in the methods' favour.
"""

from dataclasses import dataclass

from unlearning.config.limits import require_at_least, require_positive, require_within


@dataclass(frozen=True, slots=True, kw_only=True)
class DescentConfig:
    """Mini-batch steps of Adam; for fine-tuning, gradient ascent and NegGrad+."""

    epochs: int = 1
    """Passes over the rows that set the pace; at least 1."""
    batch_size: int = 128
    """Rows in one mini-batch; at least 1."""
    learning_rate: float = 1e-3
    """Learning rate of Adam; above 0."""
    retain_weight: float = 0.9
    """Beta of NegGrad+: weight of the retain loss; 1 - beta is that of the forget loss."""

    def __post_init__(self) -> None:
        require_at_least("epochs", self.epochs, 1)
        require_at_least("batch_size", self.batch_size, 1)
        require_positive("learning_rate", self.learning_rate)
        require_within("retain_weight", self.retain_weight, 0.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrubConfig:
    """SCRUB's alternation of steps away from and towards the teacher."""

    max_epochs: int = 3
    """Epochs that begin with a pass over the forget rows, away from the teacher."""
    min_epochs: int = 5
    """Epochs over the retain rows, towards the teacher; at least `max_epochs`."""
    forget_batch: int = 16
    """Forget rows in one mini-batch; at least 1."""
    batch_size: int = 128
    """Retain rows in one mini-batch; at least 1."""
    learning_rate: float = 3e-4
    """Learning rate of Adam; above 0."""
    distillation_weight: float = 0.1
    """Alpha: weight of the divergence from the teacher on retain rows."""
    loss_weight: float = 1.0
    """Gamma: weight of the cross-entropy loss on retain rows."""
    temperature: float = 1.0
    """Temperature that softens both distributions."""

    def __post_init__(self) -> None:
        require_at_least("max_epochs", self.max_epochs, 1)
        require_at_least("min_epochs", self.min_epochs, self.max_epochs)
        require_at_least("forget_batch", self.forget_batch, 1)
        require_at_least("batch_size", self.batch_size, 1)
        require_positive("learning_rate", self.learning_rate)
        require_positive("temperature", self.temperature)
        require_within("distillation_weight", self.distillation_weight, 0.0, 1e6)
        require_within("loss_weight", self.loss_weight, 0.0, 1e6)


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvatureConfig:
    """What methods of second order do with curvature."""

    rows: int = 1000
    """Most retain rows that curvature is read from; at least 1."""
    iterations: int = 20
    """Steps of conjugate gradients; at least 1."""
    damping: float = 1e-3
    """Lambda added to the curvature; above 0."""
    scale: float = 0.1
    """Length of the influence step, as a share of the full one; above 0."""
    noise: float = 5e-3
    """Fisher forgetting: standard deviation of the noise at unit importance; above 0."""
    noise_limit: float = 0.03
    """Fisher forgetting: largest standard deviation of the noise of one weight; above 0."""
    selection: float = 3.0
    """SSD's alpha: a weight is dampened if forget rows need it this many times more than others."""
    dampening: float = 0.1
    """SSD's lambda: strength of the dampening; above 0."""

    def __post_init__(self) -> None:
        require_at_least("rows", self.rows, 1)
        require_at_least("iterations", self.iterations, 1)
        for name in ("damping", "scale", "noise", "noise_limit", "selection", "dampening"):
            require_positive(name, getattr(self, name))

"""The numbers of the calibrated update."""

from dataclasses import dataclass

from unlearning.config.limits import require_at_least, require_positive, require_within


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationConfig:
    """How the calibrated update goes; one default for all models, found on tables and images."""

    max_steps: int = 60
    """Most small steps; of those in closed form, which may come before, eight at most."""
    forget_batch: int = 512
    """Most forget rows in one step."""
    min_retain_batch: int = 128
    """Least retain rows in one step; otherwise as many as forget rows."""
    retain_weight: float = 0.7
    """b: weight of holding the retain rows' margins, for a forget set of some size."""
    full_weight_rows: int = 400
    """That size; a smaller forget set weighs less against the retain rows, in proportion."""
    relaxation: float = 0.8
    """Share of the Gauss-Newton step that is taken."""
    momentum: float = 0.8
    """Share of the last direction that is kept; below 1."""
    sketch_rows: int = 512
    """Rows of each set that the curvature is read from."""
    sketch_batch: int = 32
    """Rows behind one sketch of it."""
    damping: float = 1e-7
    """A mean curvature, as a share of that of all weights together; weights that on average have
    less are moved less."""
    closed_form_rows: int = 256
    """Most forget rows that are moved in closed form; 0 for none."""
    closed_form_damping: float = 1e-6
    """The same for the closed form; both above 0."""
    ridge: float = 0.03
    """How much the closed form spares the weights against reaching the goals; above 0."""
    retain_tolerance: float = 0.15
    """Margin that retain rows may lack on average when the closed form ends."""
    closed_form_batch: int = 576
    """Rows of a step of it, retain rows beside the forget rows; but at least as many."""
    retain_sample: int = 1024
    """Retain rows that are read for a forget set small enough for the closed form."""
    holdout_sample: int = 2048
    """Holdout rows that its goals are read from."""
    tolerance: float = 0.02
    """Distance to the goals at which the update ends, as a mean difference of probabilities; at
    most 0.5."""
    remaining_share: float = 0.15
    """Share of the first distance at which it ends as well, in closed form after the last step."""
    difficulty_share: float = 0.25
    """How much the forget rows' difficulty among retain rows counts, from 0 to 1; the rest is the
    rank among forget rows."""
    min_class_rows: int = 50
    """Classes with fewer rows in the retain or holdout sample are pooled."""

    def __post_init__(self) -> None:
        require_positive("tolerance", self.tolerance)
        require_within("tolerance", self.tolerance, 0.0, 0.5)
        require_positive("damping", self.damping)
        require_positive("closed_form_damping", self.closed_form_damping)
        require_positive("ridge", self.ridge)
        require_within("retain_tolerance", self.retain_tolerance, 0.0, 1.0)
        require_at_least("closed_form_rows", self.closed_form_rows, 0)
        require_positive("relaxation", self.relaxation)
        require_within("relaxation", self.relaxation, 0.0, 2.0)
        require_within("retain_weight", self.retain_weight, 0.0, 1e6)
        require_within("momentum", self.momentum, 0.0, 0.999)
        for name in ("max_steps", "forget_batch", "min_retain_batch", "min_class_rows"):
            require_at_least(name, getattr(self, name), 1)
        for name in ("sketch_rows", "sketch_batch", "full_weight_rows"):
            require_at_least(name, getattr(self, name), 1)
        for name in ("closed_form_batch", "retain_sample", "holdout_sample"):
            require_at_least(name, getattr(self, name), 1)
        for name in ("remaining_share", "difficulty_share"):
            require_within(name, getattr(self, name), 0.0, 1.0)

    def is_small(self, forgotten: int) -> bool:
        """Whether so many forget rows are moved in closed form, all of them in one step."""
        return forgotten <= min(self.closed_form_rows, self.forget_batch)

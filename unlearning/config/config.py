"""The numbers that the mathematics is run with; a configuration out of range cannot be built."""

from dataclasses import dataclass, field
from math import inf
from typing import Literal, get_args

from unlearning.config.checks import at_least, one_of, positive, within
from unlearning.config.method_configs import CurvatureConfig, DescentConfig, ScrubConfig

Restriction = Literal["global", "per_tensor", "none"]
Derivative = Literal["finite_difference", "exact"]
Precision = Literal["float32", "bfloat16"]
MethodName = Literal[
    "calibrated",
    "reference_step",
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
    derivative: Derivative = "finite_difference"
    """How the norm is differentiated: from a second gradient at a small distance (two backward
    passes), or exactly by double backward (measured: two to five)."""
    radius: float = 0.005
    """That distance in weight space; above 0. With radius = alpha the second gradient is the whole
    answer, which is sharpness-aware minimisation."""
    seed: int = 0
    """Seed of the shuffling and of dropout; at least 0."""

    def __post_init__(self) -> None:
        at_least("epochs", self.epochs, 1)
        at_least("batch_size", self.batch_size, 1)
        positive("learning_rate", self.learning_rate)
        within("alpha", self.alpha, 0.0, inf)
        one_of("restriction", self.restriction, get_args(Restriction))
        one_of("derivative", self.derivative, get_args(Derivative))
        positive("radius", self.radius)
        at_least("seed", self.seed, 0)


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
        positive("tolerance", self.tolerance)
        within("tolerance", self.tolerance, 0.0, 0.5)
        positive("damping", self.damping)
        positive("closed_form_damping", self.closed_form_damping)
        positive("ridge", self.ridge)
        within("retain_tolerance", self.retain_tolerance, 0.0, 1.0)
        at_least("closed_form_rows", self.closed_form_rows, 0)
        positive("relaxation", self.relaxation)
        within("relaxation", self.relaxation, 0.0, 2.0)
        within("retain_weight", self.retain_weight, 0.0, 1e6)
        within("momentum", self.momentum, 0.0, 0.999)
        for name in ("max_steps", "forget_batch", "min_retain_batch", "min_class_rows"):
            at_least(name, getattr(self, name), 1)
        for name in ("sketch_rows", "sketch_batch", "full_weight_rows"):
            at_least(name, getattr(self, name), 1)
        for name in ("closed_form_batch", "retain_sample", "holdout_sample"):
            at_least(name, getattr(self, name), 1)
        for name in ("remaining_share", "difficulty_share"):
            within(name, getattr(self, name), 0.0, 1.0)

    def is_small(self, forgotten: int) -> bool:
        """Whether so many forget rows are moved in closed form, all of them in one step."""
        return forgotten <= min(self.closed_form_rows, self.forget_batch)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlearningConfig:
    """Which update is made to forget rows, and how far it goes."""

    method: MethodName = "calibrated"
    """Name of the update; benchmarks/RESULTS.md compares them."""
    learning_rate: float = 1e-3
    """Learning rate of the fresh Adam in the reference step: about how far each weight moves."""
    step_size: float = 1.0
    """Eta of the theory step: it stands where the influence form has the inverse Hessian."""
    chunk_size: int = 1024
    """Rows in memory at a time in a pass over a set; changes the result only within rounding. The
    batches of a method that takes steps have sizes of their own."""
    precision: Precision = "float32"
    """Type of the forward passes behind a gradient; bfloat16 is faster on a GPU and keeps three
    digits. Sums are float64 in either."""
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
        one_of("method", self.method, get_args(MethodName))
        positive("learning_rate", self.learning_rate)
        positive("step_size", self.step_size)
        at_least("chunk_size", self.chunk_size, 1)
        one_of("precision", self.precision, get_args(Precision))
        at_least("retain_sample", self.retain_sample, 1)
        at_least("holdout_sample", self.holdout_sample, 1)
        at_least("seed", self.seed, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatePolicy:
    """How much utility may be lost, and what counts as forgotten."""

    max_holdout_accuracy_drop: float = 0.02
    """Largest certain loss of holdout accuracy, as a share of rows (0.02 = two points of a
    hundred); what chance can explain does not count, here and below, as far as
    `max_possible_drop` lets chance explain."""
    max_retain_accuracy_drop: float = 0.05
    """Largest loss of retain accuracy. Wider: a retrained model loses memorised retain rows too."""
    max_class_accuracy_drop: float = 0.10
    """Largest loss of holdout accuracy in the worst class of at least `min_class_rows` rows."""
    max_slice_accuracy_drop: float = 0.10
    """Largest loss of holdout accuracy in the worst slice of at least `min_slice_rows` rows: all
    who share a value of a column that was declared with `--slices`."""
    max_exact_accuracy_drop: float = 0.10
    """Largest loss of holdout or retain accuracy by an exact retrain: two trainings on the same
    rows differ by chance, and this one owes nothing to an update."""
    max_exact_class_accuracy_drop: float = 0.20
    """The same for the worst class."""
    max_exact_slice_accuracy_drop: float = 0.20
    """The same for the worst slice."""
    max_possible_drop: float = 0.10
    """Largest loss of holdout or retain accuracy that chance may hide: the upper end of a one-sided
    95 % interval. Above it, and above the limit of the loss itself, the rows are too few to tell
    what the update cost, and the candidate does not pass."""
    max_exact_possible_drop: float = 0.20
    """The same for an exact retrain, which differs from the original on more rows. What lies above
    it is said not to be shown, and holds up nothing: nothing else could forget better."""
    max_mia_auc: float = 0.55
    """Highest accepted `mia_auc`; above it the forget rows are still remembered."""
    min_mia_auc: float = 0.45
    """Lowest accepted `mia_auc`; below it forgetting itself marks the rows (over-forgotten)."""
    max_accuracy_advantage: float = 0.08
    """Largest accepted forget accuracy less holdout accuracy: what an attacker gains who guesses
    that rows with the right answer were trained on. Too low a value is `min_mia_auc`'s matter."""
    remaining_share: float = 0.33
    """Share of what the attack gets out of the original that may remain, within the two limits."""
    false_alarm: float = 0.01
    """Chance that a truly forgotten set is called remembered, and again that it is called
    over-forgotten; above 0. Few rows get wider limits for it, many rows the limits above."""
    min_power: float = 0.8
    """Least chance that the attack would catch rows as remembered as the original's retain rows;
    below it nothing is decided."""
    min_class_rows: int = 50
    """Classes with fewer holdout rows are compared with such classes together."""
    min_slice_rows: int = 50
    """Slices with fewer holdout rows are not judged, and their number is stated."""
    require_canaries: bool = False
    """Whether an update without canaries, on a holdout too small for them, say, is undecided. They
    take 128 holdout rows and more, at most a quarter of those that nothing reads."""
    references: int = 4
    """Reference models behind the attacks, trained on holdout rows; 0 leaves the loss alone."""
    reference_rows: int = 2000
    """Most holdout rows that a reference is trained on."""
    withdraw_days: int = 3
    """Days before the earliest due date of a batch from which a model that cannot be made to forget
    loses the serving alias, so that the rows can be erased; before that, people are called."""
    undecided: Literal["retrain", "accept"] = "retrain"
    """What follows when the attack cannot decide: an exact retrain, or the candidate as it is, with
    that said in the certificate."""

    def __post_init__(self) -> None:
        within("max_holdout_accuracy_drop", self.max_holdout_accuracy_drop, 0.0, 1.0)
        within("max_retain_accuracy_drop", self.max_retain_accuracy_drop, 0.0, 1.0)
        within("max_class_accuracy_drop", self.max_class_accuracy_drop, 0.0, 1.0)
        within("max_slice_accuracy_drop", self.max_slice_accuracy_drop, 0.0, 1.0)
        within("max_exact_slice_accuracy_drop", self.max_exact_slice_accuracy_drop, 0.0, 1.0)
        within("max_exact_accuracy_drop", self.max_exact_accuracy_drop, 0.0, 1.0)
        within("max_exact_class_accuracy_drop", self.max_exact_class_accuracy_drop, 0.0, 1.0)
        within("max_possible_drop", self.max_possible_drop, 0.0, 1.0)
        within("max_exact_possible_drop", self.max_exact_possible_drop, 0.0, 1.0)
        within("max_mia_auc", self.max_mia_auc, 0.5, 1.0)
        within("min_mia_auc", self.min_mia_auc, 0.0, 0.5)
        within("max_accuracy_advantage", self.max_accuracy_advantage, 0.0, 1.0)
        within("remaining_share", self.remaining_share, 0.0, 1.0)
        positive("false_alarm", self.false_alarm)
        within("false_alarm", self.false_alarm, 0.0, 0.5)
        within("min_power", self.min_power, 0.0, 1.0)
        at_least("min_class_rows", self.min_class_rows, 1)
        at_least("min_slice_rows", self.min_slice_rows, 1)
        at_least("references", self.references, 0)
        at_least("reference_rows", self.reference_rows, 1)
        at_least("withdraw_days", self.withdraw_days, 0)
        one_of("undecided", self.undecided, ("retrain", "accept"))


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
        within("max_share", self.max_share, 0.0, 1.0)
        within("max_class_share", self.max_class_share, 0.0, 1.0)
        at_least("max_updates", self.max_updates, 0)


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
        within("max_share", self.max_share, 0.0, 1.0)
        at_least("max_rows", self.max_rows, 0)

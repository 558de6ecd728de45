"""What a candidate is judged by: plain numbers, measured on the original and on the candidate.

Letters: M forget rows.
"""

from dataclasses import dataclass, field
from typing import Literal

from unlearning.evidence.utility_report import EvaluationReport, Utility

AttackName = Literal["loss", "lira", "rmia"]
Outcome = Literal[
    "forgotten", "remembered", "over-forgotten", "cannot decide", "nothing left to see"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyLoss:
    """Accuracy of the original less that of the candidate, on the same rows."""

    rows: int
    """Rows it was measured on."""
    value: float
    """The loss, -1 to 1; below 0 the candidate is better."""
    certain: float
    """Lower end of a one-sided 95 % interval of it: less than this is not to be believed."""
    possible: float
    """Upper end of such an interval: so large a loss could hide behind the value (see
    `unlearning.evaluation.intervals.loss_bound`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceLoss(AccuracyLoss):
    """The loss on the rows of one slice."""

    column: str
    """The slice column."""
    group: str
    """Which of its values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackResult:
    """What one attack makes of the forget rows; each class is compared with itself."""

    attack: AttackName
    member_auc: float
    """AUC on retain rows of the original, which were trained on: how good the attack is here."""
    before: float
    """AUC on the forget rows of the original: 1.0 = told apart at once, 0.5 = not at all."""
    before_error: float
    """Its standard error."""
    after: float
    """AUC on the forget rows of the candidate: 0.5 = forgotten, below 0.5 = over-forgotten."""
    after_error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Forget rows of several batches under one attack, of weights that descend from each other."""

    count: int = 0
    """Rows."""
    before: float = 0.0
    """Sum of their percentiles under the originals."""
    after: float = 0.0
    """Sum of their percentiles under the candidates."""
    variance: float = 0.0
    """Largest holdout variance of a batch; the batches share holdout rows."""

    def __add__(self, other: "Pool") -> "Pool":
        return Pool(
            count=self.count + other.count,
            before=self.before + other.before,
            after=self.after + other.after,
            variance=max(self.variance, other.variance),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgettingEvidence:
    """The attack that a candidate is judged by, its limits, and how much it could have shown."""

    judged: AttackResult
    """The attack with the highest `member_auc`."""
    others: tuple[AttackResult, ...]
    """The attacks that are weaker on this model."""
    count: int
    """M."""
    lower: float
    """Smallest AUC of a forgotten set."""
    upper: float
    """Largest AUC of a forgotten set."""
    power: float
    """Chance to catch rows that are as remembered as the original's retain rows, 0 to 1."""
    half_power: float
    """Chance to catch rows of which half are as remembered as that and half are forgotten."""
    row_percentiles: tuple[float, ...]
    """u of each forget row under the candidate, sorted; only for at most 20 rows. 1 - u is the
    chance that an unseen row of its class looks as much trained on: the row's own test."""
    own: Pool
    """This batch's part of the pool."""
    pooled: Pool
    """This batch and the earlier ones that these weights went through."""
    pooled_lower: float
    """As `lower` for the pool; the next two alike."""
    pooled_upper: float
    pooled_power: float
    member_error: float | None = None
    """Standard error of `judged.member_auc`; None if an older release did not measure it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number with its standard error."""

    value: float
    error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Canaries:
    """Rows that were learned and erased in this very run, to see what the attack can see."""

    count: int
    planted: float
    """AUC of the loss attack once they were learned; must exceed `limit`."""
    erased: float
    """AUC after the same update erased them; 0.5 = forgotten."""
    limit: float
    """What chance puts above 0.5 for so many rows."""
    pressed: float | None = None
    """AUC of the same attack once they were learned much longer, where it hardly saw them; None if
    that was not asked."""

    @property
    def seen(self) -> float:
        """The AUC once they were learned as far as was needed to be seen."""
        return self.planted if self.pressed is None else max(self.planted, self.pressed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probes:
    """Further questions to the candidate; None where one could not be asked.

    They are reported and, but for the canaries, not judged: none of them is stronger than the
    attack that is.
    """

    threshold_advantage: Estimate | None = None
    """TPR - FPR of the best threshold on the loss, on rows that did not set it; 0 = forgotten."""
    shadow_auc: Estimate | None = None
    """AUC of the paper's shadow-model attack; 0.5 = forgotten."""
    relearning_speed: float | None = None
    """How many times faster forget rows are learned again than unseen rows; 1 = forgotten."""
    no_relearning: str = ""
    """Why that was not asked, in one sentence; empty if it was."""
    canaries: Canaries | None = None
    no_canaries: str = ""
    """Why an update was judged without canaries, in one sentence; empty if it was not."""
    distance_to_retrained: float | None = None
    """Mean total variation distance of predictions to a retrained model's; 0 = alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnseenAccuracy:
    """Accuracy on unseen rows, classes mixed as among the forget rows; 0 to 1."""

    before: float
    """The original's."""
    after: float
    """The candidate's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberError:
    """How far off a model of numbers is on unseen rows, in the units of its label."""

    rows: int
    """Rows that it was measured on."""
    tolerance: float
    """An answer less than this far off counts as right."""
    before: float
    """Mean absolute error of the original; the next alike."""
    after: float
    before_root: float
    """Root of the mean squared error of the original; the next alike."""
    after_root: float
    certain_rise: float
    """Lower end of a one-sided 95 % interval of how much the mean absolute error rose, as a share
    of what it was; below 0 it may have fallen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that the gate judges a candidate by."""

    before: EvaluationReport
    """The original model."""
    after: EvaluationReport
    """The candidate, measured on the same rows."""
    holdout_accuracy_loss: AccuracyLoss
    retain_accuracy_loss: AccuracyLoss
    class_accuracy_loss: AccuracyLoss | None
    """Of the worst holdout class; None if every class is too small."""
    slice_accuracy_loss: SliceLoss | None = None
    """Of the worst holdout slice; None if every slice is too small, or none was declared."""
    small_slices: int = 0
    """Slices with too few holdout rows to be judged."""
    forgetting: ForgettingEvidence
    probes: Probes = field(default_factory=Probes)
    unseen_accuracy: UnseenAccuracy
    """What the forget rows' accuracy is compared with."""
    holdout_error: NumberError | None = None
    """Of a model of numbers; None if it names classes."""
    utility: Utility | None = None
    """By class, with intervals; reported beside the losses that the gate judges."""

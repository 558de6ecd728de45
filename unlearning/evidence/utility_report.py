"""The numbers of one model on its three row sets, and those of two models side by side."""

from dataclasses import dataclass


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A 95 % interval: of exact shares, or by bootstrap over rows.

    See `unlearning.evaluation.intervals`.
    """

    lower: float
    upper: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One number before and after, with a 95 % interval of how much it changed."""

    before: float
    after: float
    lower: float
    """Lower end of the interval of `after` less `before`; both models saw the same rows, so only
    rows on which they differ make it wide."""
    upper: float
    before_interval: Interval
    """Of `before`, on other rows of the same kind; the next alike."""
    after_interval: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupUtility:
    """Accuracy on the rows of one class or of one slice."""

    column: str
    """The slice column; "class" for a class."""
    value: str
    """Which class, or which value of the column."""
    rows: int
    accuracy: Change


@dataclass(frozen=True, slots=True, kw_only=True)
class SetUtility:
    """Utility on one set of rows; accuracies and shares lie between 0 and 1."""

    rows: int
    accuracy: Change
    """Higher is better."""
    loss: Change
    """Mean cross-entropy loss in nats; lower is better."""
    auroc: Change | None
    """Area under the ROC curve of the second class, 0.5 = chance; None unless there are two
    classes with rows of both."""
    churn: float
    """Share of rows that the candidate predicts otherwise than the original; 0 = alike."""
    churn_interval: Interval
    newly_wrong: float
    """Share of rows that were predicted rightly and are no longer."""
    newly_wrong_interval: Interval
    groups: tuple[GroupUtility, ...]
    """Classes, then slices, with at least `min_rows` rows; smaller ones would point at people."""
    small_groups: int
    """How many classes and slices are too small to be shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Utility:
    """Utility on rows that stay and on rows that no model saw."""

    retain: SetUtility
    holdout: SetUtility

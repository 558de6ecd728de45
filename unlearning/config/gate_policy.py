"""How much utility an update may cost, and what counts as forgotten."""

from dataclasses import dataclass
from typing import Literal, get_args

from unlearning.config.limits import (
    require_at_least,
    require_one_of,
    require_positive,
    require_within,
)

LastResort = Literal["ask", "withdraw", "retrain-later"]
"""What follows if no rung is enough."""
_SHARES = (
    "max_holdout_accuracy_loss",
    "max_retain_accuracy_loss",
    "max_class_accuracy_loss",
    "max_slice_accuracy_loss",
    "max_exact_accuracy_loss",
    "max_exact_class_accuracy_loss",
    "max_exact_slice_accuracy_loss",
    "max_possible_loss",
    "max_exact_possible_loss",
    "max_accuracy_advantage",
    "remaining_share",
    "min_power",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatePolicy:
    """How much utility may be lost, and what counts as forgotten."""

    max_holdout_accuracy_loss: float = 0.02
    """Largest certain loss of holdout accuracy, as a share of rows (0.02 = two points of a
    hundred); what chance can explain does not count, here and below, as far as
    `max_possible_loss` lets chance explain."""
    max_retain_accuracy_loss: float = 0.05
    """Largest loss of retain accuracy. Wider: a retrained model loses memorised retain rows too."""
    max_class_accuracy_loss: float = 0.10
    """Largest loss of holdout accuracy in the worst class of at least `min_class_rows` rows."""
    max_slice_accuracy_loss: float = 0.10
    """Largest loss of holdout accuracy in the worst slice of at least `min_slice_rows` rows: all
    who share a value of a column that was declared with `--slices`."""
    max_exact_accuracy_loss: float = 0.10
    """Largest loss of holdout accuracy by an exact retrain: two trainings on the same rows differ
    by chance, and this one owes nothing to an update. How well it fits rows that it was trained on
    is stated and not judged."""
    max_exact_class_accuracy_loss: float = 0.20
    """The same for the worst class."""
    max_exact_slice_accuracy_loss: float = 0.20
    """The same for the worst slice."""
    max_error_rise: float = 0.05
    """Of a model that predicts a number: largest certain rise of its mean absolute error on holdout
    rows, as a share of what it was."""
    max_exact_error_rise: float = 0.20
    """The same by an exact retrain."""
    max_possible_loss: float = 0.10
    """Largest loss of holdout or retain accuracy that chance may hide: the upper end of a one-sided
    95 % interval. Above it, and above the limit of the loss itself, the rows are too few to tell
    what the update cost, and the candidate does not pass."""
    max_exact_possible_loss: float = 0.20
    """The same for holdout accuracy after an exact retrain, which differs from the original on more
    rows. What lies above it is said not to be shown, and holds up nothing: nothing else could
    forget better."""
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
    nothing_left_auc: float = 0.60
    """How often at most, as a share, an attack may be right about the rows where it has too little
    power to decide: if its upper 95 % limit lies no higher, for original and candidate, and a
    control shows that it works, nothing is left to see, and the candidate passes; 0.5 = never."""
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
    last_resort: LastResort = "ask"
    """What follows if no rung makes a model forget. `ask`: it stays in service, its requests stay
    open, and people are called, ever more urgently. `withdraw`: near the due date it loses the
    serving alias, so that the rows can be erased. `retrain-later`: as `ask`, until its owner has
    trained it anew and enrolled that version."""
    withdraw_days: int = 3
    """Days before the earliest due date of a batch from which `withdraw` takes the alias, and from
    which a call to people is urgent."""
    undecided: Literal["retrain", "accept"] = "retrain"
    """What follows when the attack cannot decide: an exact retrain, or the candidate as it is, with
    that said in the certificate."""

    def __post_init__(self) -> None:
        require_within("max_mia_auc", self.max_mia_auc, 0.5, 1.0)
        require_within("nothing_left_auc", self.nothing_left_auc, 0.5, 1.0)
        require_within("min_mia_auc", self.min_mia_auc, 0.0, 0.5)
        for name in _SHARES:
            require_within(name, getattr(self, name), 0.0, 1.0)
        for name in ("max_error_rise", "max_exact_error_rise"):
            require_at_least(name, getattr(self, name), 0)
        require_positive("false_alarm", self.false_alarm)
        require_within("false_alarm", self.false_alarm, 0.0, 0.5)
        for name in ("min_class_rows", "min_slice_rows", "reference_rows"):
            require_at_least(name, getattr(self, name), 1)
        for name in ("references", "withdraw_days"):
            require_at_least(name, getattr(self, name), 0)
        require_one_of("last_resort", self.last_resort, get_args(LastResort))
        require_one_of("undecided", self.undecided, ("retrain", "accept"))

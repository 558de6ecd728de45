"""Which batches wait for a person, and what that person is told before saying yes or no."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from unlearning.config.approval_policy import ApprovalPolicy
from unlearning.policy.budget import is_exact
from unlearning.policy.counted import counted

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Experience:
    """What an earlier candidate of the same model and method cost and changed."""

    forget_count: int
    row_count: int
    seconds: float
    holdout_change: float | None
    """Holdout accuracy after it less that before it; None if it was not measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPreflight:
    """What one model will go through; None is a number that nothing earlier can tell."""

    model: str
    plan: str
    """Digest of the planned attempt."""
    parent_version: int
    is_serving: bool
    """Whether the serving alias points to the parent version."""
    method: str
    forget_count: int
    row_count: int
    reason: str
    """Why the batch needs approval for this model; empty if it does not."""
    seconds: float | None = None
    """Time that making the candidate is expected to take."""
    retrain_seconds: float | None = None
    """Time that an exact retrain is expected to take, should it come to that."""
    holdout_change: float | None = None
    """Expected change of holdout accuracy, as a share of rows; below 0 is a loss."""
    power: float | None = None
    """Chance that the attack would catch rows that are still remembered."""
    if_not_enough: str = ""
    """What follows if no rung makes it forget, in one sentence; empty in older questions."""
    obstacle: str = ""
    """Why it cannot be retrained here, so far as that is known; empty if nothing hinders it."""
    recipe: str = ""
    """Short digest of its owner's recipe, by which a retrain would be made; empty without one."""

    @property
    def share(self) -> float:
        """Share of the model's training rows that the batch forgets."""
        return share_of(self.forget_count, self.row_count)


def why_approval(policy: ApprovalPolicy, model: str, forget_count: int, row_count: int) -> str:
    """Why a batch needs a person's approval for this model, in one sentence; empty if it does not.

    Args:
        policy: The limits; both are inclusive.
        model: Name of the model.
        forget_count: Rows of the batch that the model was trained on.
        row_count: All rows that the model was trained on.
    """
    if policy.always:
        return f"Every batch that {model} has to forget needs approval."
    if forget_count > policy.max_rows:
        rows = counted(forget_count, "row")
        return f"{model} has to forget {rows}; without approval {policy.max_rows}."
    if forget_count > policy.max_share * row_count + _ROUNDING:
        return (
            f"{model} has to forget {forget_count} of {row_count} rows "
            f"({share_of(forget_count, row_count):.1%}); without approval {policy.max_share:.1%}."
        )
    return ""


def end_of(model: ModelPreflight) -> str:
    """What the batch may end in for this model, in one or two sentences; empty if not on record."""
    if not model.if_not_enough:
        return ""
    cannot = f" It cannot be retrained: {model.obstacle}" if model.obstacle else ""
    return f"{model.model}, if no rung is enough: {model.if_not_enough}{cannot}"


def share_of(forget_count: int, row_count: int) -> float:
    """Share of the training rows that is forgotten; 0 where there is none."""
    return forget_count / row_count if row_count else 0.0


def expected_seconds(
    earlier: Sequence[Experience], method: str, forget_count: int, row_count: int
) -> float | None:
    """Time to make the candidate, from the median time per row so far; None without experience.

    An update reads the forget rows and a fixed number of others, a retrain the rows that stay. The
    median, because a run that was interrupted and continued took no longer but looks as if it had.
    """

    def rows(forget: int, all_rows: int) -> int:
        return all_rows - forget if is_exact(method) else forget

    rates = [e.seconds / n for e in earlier if (n := rows(e.forget_count, e.row_count)) > 0]
    return median(rates) * rows(forget_count, row_count) if rates else None


def expected_change(earlier: Sequence[Experience], method: str, share: float) -> float | None:
    """Change of holdout accuracy to expect; None without experience that tells.

    Of an update the median change per share so far, over batches of at least half this share: what
    chance did to smaller ones would be multiplied. Of a retrain the median change, which goes with
    chance and not with the share.
    """
    known = [
        (e.holdout_change, share_of(e.forget_count, e.row_count))
        for e in earlier
        if e.holdout_change is not None and e.forget_count and e.row_count
    ]
    if is_exact(method):
        return median(change for change, _ in known) if known else None
    rates = [change / before for change, before in known if before >= share / 2]
    return median(rates) * share if rates else None

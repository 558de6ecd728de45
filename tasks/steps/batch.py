"""One batch: validated, resolved, planned and answered for."""

from tasks.approval import approvals, questions
from tasks.attempts import planning
from tasks.intake import batches
from tasks.journal.events.attempt import Attempt
from tasks.steps.policy import STEP
from tasks.steps.process import services
from tasks.subjects import late_holds, resolution, suppression_list


@STEP
def validate_batch(batch: str) -> dict[str, int]:
    """Judge every record of the batch, then take out those held since; counts by outcome."""
    counts = batches.validate(services(), batch)
    late_holds.withhold(services(), batch)
    suppression_list.take_off_withheld(services(), batch)
    return counts


@STEP
def resolve_rows(batch: str) -> dict[str, int]:
    """Find the subjects' rows in every table that is new or changed; counts only."""
    return resolution.resolve(services(), batch)


@STEP
def plan_unlearning(batch: str, model: str) -> Attempt | None:
    """What to unlearn from this model; None if it never saw the subjects."""
    return planning.plan(services(), batch, model)


@STEP
def seek_approval(batch: str, plans: list[Attempt]) -> bool:
    """Whether the planned attempts may be made; if not, people have been asked."""
    return approvals.seek_approval(services(), batch, plans)


@STEP
def describe_question(batch: str) -> str:
    """What a person who answers for the batch must know."""
    return questions.describe(services(), batch)


@STEP
def record_answer(batch: str, decision: approvals.Decision, name: str, reason: str) -> None:
    """A person's answer on record, and its requests told."""
    approvals.decide(services(), batch, decision, name=name, reason=reason)

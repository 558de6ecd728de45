"""One batch: validated, resolved, planned and answered for."""

from tasks.approval import approvals, questions
from tasks.pipeline import Steps
from tasks.steps.policy import STEP, step
from tasks.steps.process import services
from tasks.subjects import standstills

validate_batch = step(Steps.validate_batch)
resolve_rows = step(Steps.resolve_rows)
plan_unlearning = step(Steps.plan_unlearning)
seek_approval = step(Steps.seek_approval)


@STEP
def describe_question(batch: str) -> str:
    """What a person who answers for the batch must know."""
    return questions.describe(services(), batch)


@STEP
def record_answer(batch: str, decision: approvals.Decision, name: str, reason: str) -> None:
    """A person's answer on record, and its requests told."""
    approvals.decide(services(), batch, decision, name=name, reason=reason)


@STEP
def note_standstill(batch: str, reason: str) -> None:
    """Why the batch stands still, on record."""
    standstills.note_standstill(services(), batch, reason)


@STEP
def note_progress(batch: str) -> None:
    """That the batch stands still no more, on record."""
    standstills.note_progress(services(), batch)

"""One batch: validated, resolved, planned and answered for."""

from tasks.approval import approvals, questions
from tasks.pipeline import Steps
from tasks.steps.policy import STEP, step
from tasks.steps.process import services

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

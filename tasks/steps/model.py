"""One batch and one model: from candidate to promoted version, or what is left."""

from tasks.attempts import candidates, evidence, failures, ladder, planning, promotion
from tasks.journal.events.attempt import Attempt
from tasks.report import mlflow_mirror
from tasks.steps.policy import STEP
from tasks.steps.process import services
from unlearning.gate.gate import GateDecision, no_candidate
from unlearning.policy.ladder import NextRung


@STEP
def make_candidate(attempt: Attempt) -> str:
    """Unlearn; returns why that is impossible, or nothing."""
    at_hand = services()
    return failures.failure_of(
        at_hand,
        attempt,
        candidates.make_candidate,
        # It holds a mini-batch and no curvature.
        may_climb=lambda: ladder.may_retrain(at_hand, attempt),
    )


@STEP
def evaluate_candidate(attempt: Attempt) -> str:
    """Measure parent and candidate; returns why that is impossible, or nothing."""
    return failures.failure_of(services(), attempt, evidence.evaluate_candidate)


@STEP
def judge_candidate(attempt: Attempt, failure: str) -> GateDecision:
    """The gate's decision."""
    return no_candidate(failure) if failure else evidence.judge_candidate(services(), attempt)


@STEP
def register_version(attempt: Attempt) -> int:
    """The candidate as a new model version with its lineage."""
    return promotion.register(services(), attempt)


@STEP
def promote_version(attempt: Attempt, version: int) -> None:
    """The serving alias on the new version."""
    promotion.promote(services(), attempt, version)


@STEP
def choose_rung(attempt: Attempt, decision: GateDecision) -> NextRung:
    """What follows a candidate that did not pass."""
    return ladder.choose_step(services(), attempt, decision)


@STEP
def climb(attempt: Attempt, chosen: NextRung) -> Attempt:
    """The attempt on the next rung."""
    return planning.climb(services(), attempt, chosen)


@STEP
def withdraw_model(attempt: Attempt, chosen: NextRung) -> None:
    """The serving alias taken away, and an alarm."""
    ladder.withdraw(services(), attempt, chosen.reason)


@STEP
def block_batch(attempt: Attempt, decision: GateDecision, chosen: NextRung) -> None:
    """The batch kept open, with its reason."""
    mlflow_mirror.block(services(), attempt, list(decision.failed_names), chosen.reason)

"""One batch and one model: from candidate to promoted version, or what is left."""

from tasks.attempts import candidates, evidence, failures, ladder, planning, promotion
from tasks.attempts.attempt import Attempt
from tasks.report import mlflow_mirror
from tasks.steps.policy import STEP
from tasks.store.opening import open_store
from unlearning.gate.gate import GateDecision, no_candidate
from unlearning.policy.ladder import NextRung


@STEP
def make_candidate(attempt: Attempt) -> str:
    """Unlearn; returns why that is impossible, or nothing."""
    store = open_store()
    return failures.failure_of(
        store,
        attempt,
        candidates.make_candidate,
        # It holds a mini-batch and no curvature.
        may_climb=lambda: ladder.may_retrain(store, attempt),
    )


@STEP
def evaluate_candidate(attempt: Attempt) -> str:
    """Measure parent and candidate; returns why that is impossible, or nothing."""
    return failures.failure_of(open_store(), attempt, evidence.evaluate_candidate)


@STEP
def judge_candidate(attempt: Attempt, failure: str) -> GateDecision:
    """The gate's decision."""
    return no_candidate(failure) if failure else evidence.judge_candidate(open_store(), attempt)


@STEP
def register_version(attempt: Attempt) -> int:
    """The candidate as a new model version with its lineage."""
    return promotion.register(open_store(), attempt)


@STEP
def promote_version(attempt: Attempt, version: int) -> None:
    """The serving alias on the new version."""
    promotion.promote(open_store(), attempt, version)


@STEP
def choose_rung(attempt: Attempt, decision: GateDecision) -> NextRung:
    """What follows a candidate that did not pass."""
    return ladder.choose_rung(open_store(), attempt, decision)


@STEP
def climb(attempt: Attempt, chosen: NextRung) -> Attempt:
    """The attempt on the next rung."""
    return planning.climb(open_store(), attempt, chosen)


@STEP
def withdraw_model(attempt: Attempt, chosen: NextRung) -> None:
    """The serving alias taken away, and an alarm."""
    ladder.withdraw(open_store(), attempt, chosen.reason)


@STEP
def block_batch(attempt: Attempt, decision: GateDecision, chosen: NextRung) -> None:
    """The batch kept open, with its reason."""
    mlflow_mirror.block(open_store(), attempt, list(decision.failed_names), chosen.reason)

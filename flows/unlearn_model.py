"""Unlearn one batch from one registered model."""

from prefect import flow

from tasks import steps
from unlearning.policy.ladder import ModelOutcome


@flow(name="unlearn-model", flow_run_name="unlearn {model}", result_serializer="json")
def unlearn_model(batch: str, model: str) -> ModelOutcome:
    """Rung by rung: candidate → evidence → gate; then new version → alias, or what is left."""
    attempt = steps.plan_unlearning(batch, model)
    if attempt is None:
        return ModelOutcome(model, "untouched")
    while True:
        failure = steps.make_candidate(attempt) or steps.evaluate_candidate(attempt)
        decision = steps.judge_candidate(attempt, failure)
        if decision.passed:
            version = steps.register_version(attempt)
            steps.promote_version(attempt, version)
            retire_old(model)
            return ModelOutcome(model, "promoted")
        chosen = steps.choose_rung(attempt, decision)
        if chosen.rung == "withdraw":
            steps.withdraw_model(attempt, chosen)
            retire_old(model)
            return ModelOutcome(model, "withdrawn", chosen.reason)
        if chosen.rung == "wait":
            steps.block_batch(attempt, decision, chosen)
            return ModelOutcome(model, "blocked", chosen.reason)
        attempt = steps.climb(attempt, chosen)


def retire_old(model: str) -> None:
    """Old versions out of use; whatever hinders that holds up no erasure, and is tried again daily.

    Prefect logs the failure, and `flows.retire_versions` raises it.
    """
    steps.retire_versions(model, return_state=True)

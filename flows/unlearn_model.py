"""Unlearn one batch from one registered model."""

from prefect import flow

from tasks import steps
from unlearning.gate import GateDecision


@flow(name="unlearn-model", flow_run_name="unlearn {model}", result_serializer="json")
def unlearn_model(batch: str, model: str) -> GateDecision | None:
    """Candidate → evidence → gate → new version → alias; None if the model never saw the rows."""
    attempt = steps.plan_unlearning(batch, model)
    if attempt is None:
        return None
    steps.make_candidate(attempt)
    steps.evaluate_candidate(attempt)
    decision = steps.judge_candidate(attempt)
    if decision.passed:
        version = steps.register_version(attempt)
        steps.promote_version(attempt, version)
    else:
        steps.block_batch(attempt, list(decision.failed_names))
    return decision

"""Unlearn one batch from one registered model."""

from prefect import flow

from tasks import pipeline
from tasks.steps import TASKS
from unlearning.policy.ladder import ModelOutcome


@flow(name="unlearn-model", flow_run_name="unlearn {model}", result_serializer="json")
def unlearn_model(batch: str, model: str) -> ModelOutcome:
    """Rung by rung: candidate → evidence → gate; then new version → alias, or what is left."""
    return pipeline.unlearn_model(TASKS, batch, model)

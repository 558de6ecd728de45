"""Train a model that can be unlearned, or enrol one that was trained elsewhere."""

from prefect import flow

from tasks import steps
from tasks.enrolling.source import ModelSource
from unlearning.config.training_config import TrainingConfig


@flow(name="train-model", flow_run_name="train", result_serializer="json")
def train_model(source: ModelSource, hidden: tuple[int, ...], config: TrainingConfig) -> int:
    """Train with gradient restriction, register, enrol, compute the gradient ledger."""
    source = steps.pin_source(source)
    version = steps.train_version(source, hidden, config)
    steps.enroll_version(source.retrained_as(config), version, trust_pickle=False)
    steps.request_replays()
    steps.refresh_ledger(source.model)
    steps.refresh_references(source.model)
    return version


@flow(name="enroll-model", flow_run_name="enroll", result_serializer="json")
def enroll_model(
    source: ModelSource,
    version: int | None,
    trust_pickle: bool,
    trust_code: bool = False,
    promote: bool = False,
) -> str:
    """Check that a registered version fits its table, enrol it, compute the gradient ledger."""
    steps.enroll_version(source, version, trust_pickle, trust_code, promote)
    steps.request_replays()
    key = steps.refresh_ledger(source.model)
    steps.refresh_references(source.model)
    return key

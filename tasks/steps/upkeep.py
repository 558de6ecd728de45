"""What other flows do: ledgers, old versions, and who came back."""

from tasks.enrolling import gradient_ledgers, reference_models
from tasks.journal.reading import enrolled_models
from tasks.steps.policy import STEP
from tasks.steps.process import services
from tasks.subjects import replay, snapshots
from tasks.versions import leftovers, purging


@STEP
def restore_snapshots() -> list[str]:
    """Models pointed to where others moved their rows; a sentence for each that lost some."""
    return snapshots.look_after_snapshots(services())


@STEP
def request_replays() -> int:
    """Requests for erased subjects who are back in a table; returns for how many."""
    return replay.request_replays(services())


@STEP
def refresh_ledger(model: str) -> str:
    """The gradient ledger of the model's current version."""
    return gradient_ledgers.refresh_ledger(services(), model)


@STEP
def ledger_models() -> list[str]:
    """Every enrolled model in service, in name order."""
    return [e.model for e in enrolled_models(services().journal) if not e.is_withdrawn]


@STEP
def refresh_references(model: str) -> str:
    """The reference models behind the attacks on the model."""
    return reference_models.refresh_references(services(), model)


@STEP
def enrolled_names() -> list[str]:
    """Every model that was ever enrolled, in name order."""
    return [e.model for e in enrolled_models(services().journal)]


@STEP
def due_versions(model: str) -> list[int]:
    """Retired versions whose days are over."""
    return purging.due(services(), model)


@STEP
def purge_version(model: str, version: int) -> None:
    """The version gone from MLflow and from every place that kept its files."""
    purging.purge(services(), model, version)


@STEP
def drop_leftovers() -> int:
    """Weights of closed batches gone from the store."""
    return leftovers.drop_leftovers(services())

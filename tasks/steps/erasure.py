"""The batch's rows out of the tables, and the certificates about it."""

from tasks.enrolling import gradient_ledgers, reference_models
from tasks.erasure import erasable, erasure
from tasks.records import certificates
from tasks.report import mlflow_mirror
from tasks.steps.policy import STEP
from tasks.steps.process import services
from tasks.subjects import resolution, suppression_list


@STEP
def suppress_subjects(batch: str) -> int:
    """The batch's subjects on the suppression list, after a last look for rows and models."""
    resolution.resolve(services(), batch)
    erasable.refuse_unasked(services(), batch)
    return suppression_list.suppress(services(), batch) + suppression_list.put_on_found(
        services(), batch
    )


@STEP
def tables_to_erase(batch: str) -> list[str]:
    """Tables in which the batch has rows."""
    return erasure.tables_of(services(), batch)


@STEP
def erase_rows(batch: str, table: str) -> None:
    """The rows deleted from the table, if every model that learned from them was asked."""
    erasable.refuse_unasked(services(), batch)
    erasure.erase_rows(services(), batch, table)


@STEP
def purge_files(batch: str, table: str) -> None:
    """Files and object versions that still held the rows removed."""
    erasure.purge_files(services(), batch, table)


@STEP
def advance_models(batch: str, table: str) -> list[str]:
    """Every model of the table pointed to the table's new version."""
    return erasure.advance_models(services(), batch, table)


@STEP
def drop_ledgers(model: str) -> None:
    """The model's ledgers over erased rows deleted; they are computed anew elsewhere."""
    gradient_ledgers.drop_stale_ledgers(services(), model)


@STEP
def drop_references(batch: str, table: str) -> list[str]:
    """References that learned from rows of an erased holdout table deleted."""
    return reference_models.drop_references(services(), batch, table)


@STEP
def certify_requests(batch: str) -> int:
    """One certificate for every accepted request, from a search that is over."""
    resolution.close_search(services(), batch)
    return certificates.certify(services(), batch)


@STEP
def mirror_audit(batch: str) -> None:
    """The batch's events readable in MLflow."""
    mlflow_mirror.mirror(services(), batch)


@STEP
def close_batch(batch: str) -> None:
    """The batch closed."""
    mlflow_mirror.close(services(), batch)

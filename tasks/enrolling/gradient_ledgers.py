"""Gradient ledgers in the store: computed once per model version, off every critical path."""

import logging

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from tasks.datasets.rows import TableRows
from tasks.environment.device import pick_device
from tasks.environment.memory import fitting
from tasks.journal.events import ids
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.enrollment import Enrollment
from tasks.journal.events.models import LedgerStored
from tasks.journal.reading import enrolled_models, read_enrollment, read_model
from tasks.registry import model_files
from tasks.registry.services import Services
from tasks.store.objects import MissingObjectError
from tasks.subjects.reappearance import unknown_ids
from tasks.tables.delta import is_readable
from unlearning.errors import (
    ConflictError,
    DataError,
    ModelError,
    SnapshotChangedError,
    StaleLedgerError,
    TransientError,
)
from unlearning.methods.gradient_ledger import (
    Ledger,
    check_ledger,
    ledger_from,
    ledger_metadata,
    ledger_tensors,
)
from unlearning.model.distributed import agree, own_rank, rank_count, refuse_other, shared_gradient
from unlearning.model.gradients import Gradient
from unlearning.model.weights import model_digest

log = logging.getLogger("expunge.ledgers")


def refresh_ledger(services: Services, model: str) -> str:
    """Compute the model's gradient ledger unless the store has it; returns its key.

    A model of another library than torch has no gradients, and so none; its key is empty.

    Under torchrun every rank calls it: all share the pass, and the first one writes.

    Raises:
        ConflictError: the registry holds other weights than were enrolled, or the ranks disagree.
        SnapshotChangedError: the table has another number of rows than were enrolled.
        TransientError: a batch erased rows while they were read; the next try reads the new rows.
    """
    enrollment = read_enrollment(services.journal, model)
    if enrollment.dataset.types:
        return ""
    key = enrollment.ledger_key
    missing = agree("" if _has_ledger(services, enrollment) else key)
    if missing:
        refuse_other(key, missing)
        module = model_files.load_enrolled(services, enrollment, enrollment.version).module
        try:
            store_ledger(services, enrollment, module)
        except DataError:
            _refuse_overtaken(services, enrollment)
            raise
    if own_rank() == 0:
        services.registry.tag_version(model, enrollment.version, {"expunge.ledger": key})
        drop_stale_ledgers(services, model)
    return key


def _refuse_overtaken(services: Services, enrollment: Enrollment) -> None:
    """An erasure never waits for a pass over the table: the pass begins again."""
    if not is_readable(services.settings, enrollment.dataset.uri, enrollment.dataset_version):
        raise TransientError(
            f"Rows of {enrollment.snapshot} were erased while the ledger of {enrollment.model} was "
            "computed; try again later."
        ) from None


def store_ledger(services: Services, enrollment: Enrollment, module: nn.Module) -> None:
    """Compute the mean gradient over the whole snapshot and keep it: one pass over the table.

    Raises:
        ConflictError: the module has other weights than were enrolled.
        SnapshotChangedError: the table has another number of rows than were enrolled.
        DivergenceError: a loss or gradient is not finite.
    """
    gradient = _gradient(services, enrollment, module, unknown_ids(services, enrollment))
    if own_rank() != 0:
        return
    ledger = Ledger(gradient, model_digest=enrollment.digest, dataset=enrollment.snapshot)
    key = enrollment.ledger_key
    services.store.put(key, save(ledger_tensors(ledger), metadata=ledger_metadata(ledger)))
    facts = LedgerStored(ledger=key, row_count=gradient.row_count, version=enrollment.version)
    services.journal.append(model_stream(enrollment.model), ids.ledger(key), facts)
    log.info("%s version %d: gradient ledger stored", enrollment.model, enrollment.version)
    # A batch may have erased rows, and the old ledgers with them, while this one was computed.
    drop_stale_ledgers(services, enrollment.model)


def _gradient(
    services: Services, enrollment: Enrollment, module: nn.Module, without: list[str]
) -> Gradient:
    if model_digest(module.state_dict()) != enrollment.digest:
        raise ConflictError(
            f"Version {enrollment.version} of {enrollment.model} holds other weights than were "
            f"enrolled; enrol it again with `expunge enroll {enrollment.model}`."
        )
    ranks = rank_count()
    rows = TableRows(
        services.settings,
        enrollment.dataset,
        enrollment.dataset_version,
        without=without,
        part=(own_rank(), ranks),
    )

    def gradient_of(chunk_size: int, device: str) -> Gradient:
        return shared_gradient(
            module,
            rows,
            chunk_size=chunk_size,
            device=device,
            precision=enrollment.unlearning.precision,
        )

    size, device = enrollment.unlearning.chunk_size, pick_device(services.settings)
    # Ranks wait for each other: one alone must not begin anew.
    gradient = (
        fitting(gradient_of, chunk_size=size, device=device)
        if ranks == 1
        else gradient_of(size, device)
    )
    if gradient.row_count != enrollment.row_count:
        raise SnapshotChangedError(
            f"{enrollment.snapshot} has {gradient.row_count} rows and {enrollment.row_count} were "
            f"enrolled; enrol the model again with `expunge enroll {enrollment.model}`."
        )
    return gradient


def read_ledger(services: Services, enrollment: Enrollment) -> Ledger | None:
    """The ledger of this version over this snapshot; None when it was not computed yet.

    Raises:
        StaleLedgerError: what lies there is damaged or belongs to another model or snapshot.
        DivergenceError: a number in it is not finite.
    """
    try:
        data = services.store.get(enrollment.ledger_key)
    except MissingObjectError:
        return None
    try:
        tensors, metadata = load(data), _metadata(data)
    except (SafetensorError, ValueError) as error:
        raise StaleLedgerError(
            f"The stored ledger of {enrollment.model} is damaged; "
            f"compute it again with `expunge ledger {enrollment.model}`."
        ) from error
    ledger = ledger_from(tensors, metadata)
    check_ledger(ledger, model_digest=enrollment.digest, dataset=enrollment.snapshot)
    return ledger


def drop_stale_ledgers(services: Services, model: str) -> None:
    """Delete the model's ledgers over other snapshots: they are means over rows erased since."""
    current = {enrollment.ledger_key for enrollment in enrolled_models(services.journal)}
    for digest in sorted(read_model(services.journal, model).digests):
        folder = f"ledgers/{digest}/"
        for info in list(services.store.list_objects(folder)):
            if info.key not in current:
                services.store.delete(info.key)
        services.store.purge_noncurrent(folder)


def _has_ledger(services: Services, enrollment: Enrollment) -> bool:
    """Whether a usable ledger lies there; a damaged one counts as none and is written anew."""
    try:
        return read_ledger(services, enrollment) is not None
    except ModelError as error:
        log.warning("%s: %s", enrollment.model, error)
        return False


def _metadata(data: bytes) -> dict[str, str]:
    import json

    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]).get("__metadata__", {})

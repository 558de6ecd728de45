"""Gradient ledgers in the store: computed once per model version, read at every request."""

from safetensors.torch import load, save
from torch import nn

from tasks import journal
from tasks.datasets import TableRows
from tasks.device import pick_device
from tasks.enrollment import Enrollment, ledger_key, stream
from tasks.object_store import MissingObjectError, ObjectStore
from unlearning.gradients import mean_gradient
from unlearning.ledger import Ledger, check_ledger, ledger_from, ledger_metadata, ledger_tensors


def store_ledger(store: ObjectStore, enrollment: Enrollment, module: nn.Module) -> None:
    """Compute the mean gradient over the whole snapshot and keep it: one pass over the table."""
    rows = TableRows(enrollment.dataset, enrollment.dataset_version)
    gradient = mean_gradient(
        module, rows, chunk_size=enrollment.unlearning.chunk_size, device=pick_device()
    )
    ledger = Ledger(gradient, model_digest=enrollment.digest, dataset=enrollment.snapshot)
    key = ledger_key(enrollment)
    store.put(key, save(ledger_tensors(ledger), metadata=ledger_metadata(ledger)))
    facts = {"ledger": key, "row_count": gradient.row_count, "version": enrollment.version}
    journal.append(
        store, journal.Entry(stream(enrollment.model), f"ledger/{key}", "LedgerStored", facts)
    )


def read_ledger(store: ObjectStore, enrollment: Enrollment) -> Ledger | None:
    """The ledger of this version over this snapshot; None when it was not computed yet.

    Raises:
        StaleLedgerError: what lies there belongs to another model or snapshot.
    """
    try:
        data = store.get(ledger_key(enrollment))
    except MissingObjectError:
        return None
    ledger = ledger_from(load(data), _metadata(data))
    check_ledger(ledger, model_digest=enrollment.digest, dataset=enrollment.snapshot)
    return ledger


def drop_older_ledgers(store: ObjectStore, model: str, *, keep: str) -> None:
    """Delete the model's earlier ledgers: they are means over rows that were erased since."""
    for event in journal.read(store, stream(model)):
        if event.name == "LedgerStored" and event.facts["ledger"] != keep:
            store.delete(event.facts["ledger"])


def _metadata(data: bytes) -> dict[str, str]:
    import json

    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]).get("__metadata__", {})

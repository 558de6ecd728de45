"""Deletion requests and legal holds as senders write them, and what became of them."""

import json

from factories import attempt

from tasks.intake import batches
from tasks.journal.events import ids
from tasks.journal.events.attempts import AttemptPlanned
from tasks.journal.events.batches import BatchClosed
from tasks.journal.events.catalog import batch_stream, request_stream
from tasks.journal.events.requests import SubjectNotFound
from tasks.journal.journal import Entry, Journal
from tasks.journal.reading import read_batch
from tasks.registry.services import Services
from tasks.report import mlflow_mirror
from tasks.subjects import open_batches


def submit(services: Services, name: str, *numbers: int, line: str = "") -> None:
    """A file of requests of these persons, with one further line of any content."""
    rows = [
        {"request_id": f"R-{n}", "subject_id": f"person-{n}", "received_at": "2026-01-02T03:04:05Z"}
        for n in numbers
    ]
    text = "\n".join(json.dumps(row) for row in rows)
    services.store.put(f"requests/incoming/{name}.jsonl", f"{text}\n{line}".encode())


def hold(services: Services, number: int) -> None:
    """A legal hold on a person."""
    rows = json.dumps({"subject_id": f"person-{number}"})
    services.store.put(f"requests/holds/{number}.jsonl", rows.encode())


def release(services: Services, number: int) -> None:
    """That hold lifted."""
    services.store.delete(f"requests/holds/{number}.jsonl")


def frozen(services: Services) -> str:
    """The one batch to work on, frozen if it is new."""
    (batch,) = open_batches.open_batches(services)
    return batch


def validated(services: Services) -> str:
    """The same, judged."""
    batch = frozen(services)
    batches.validate(services, batch)
    return batch


def find_rows(services: Services, batch: str) -> None:
    """Every accepted request of the batch has a row in a table, as if that was searched."""
    rows = {d.record_id: 1 for d in batches.accepted(services, batch)}
    found = [{"uri": "t", "column": "c", "version": 1, "row_count": 1, "rows": rows}]
    services.store.put(f"batches/{batch}/matches.json", json.dumps(found).encode())


def block(services: Services, batch: str) -> None:
    """Block a batch as a failed gate does, all its requests having rows."""
    find_rows(services, batch)
    planned = attempt(batch=batch, method="retrain")
    stream = batch_stream(batch)
    services.journal.append(stream, planned.ids.planned, AttemptPlanned(attempt=planned))
    mlflow_mirror.block(services, planned, ["holdout_accuracy_loss"], "No rung was enough.")


def answer(services: Services, batch: str) -> None:
    """Answer every accepted request of a batch, as if no table held a row."""
    services.journal.append_all(
        Entry(
            request_stream(d.record_id),
            ids.certified(batch),
            SubjectNotFound(
                batch=batch,
                request_id=d.request_id,
                subject=d.subject,
                reason="no table holds a row under exactly this id",
                certificate=f"certificates/{d.request_id}.json",
                certificate_digest="c",
            ),
        )
        for d in batches.accepted(services, batch)
    )


def close(services: Services, batch: str) -> None:
    """Close a batch, whatever became of its requests."""
    services.journal.append(batch_stream(batch), "closed", BatchClosed())


def statuses(journal: Journal) -> dict[str, str]:
    """Where every request stands, by the number that its sender gave it."""
    return {event.facts.request_id: event.status for _, event in journal.requests()}


def batch_status(services: Services, batch: str) -> str:
    """Where a batch stands."""
    return read_batch(services.journal, batch).status

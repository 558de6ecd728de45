"""Erase again whom a restored backup or a repeated delivery brought back.

Nobody is erased here: whoever is back gets a request of our own, and the ordinary run answers it.
"""

import json
import logging
import re
from dataclasses import dataclass

from tasks.intake import inbox
from tasks.intake.batches import pseudonyms
from tasks.intake.request_files import parse
from tasks.journal import journal
from tasks.journal.events import ids
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.enrollment import Enrollment
from tasks.journal.events.models import SnapshotRestored
from tasks.journal.reading import enrolled_models, read_model
from tasks.registry.services import Services
from tasks.subjects.reappearance import (
    TableScan,
    fingerprint,
    known_count,
    raw_ids,
    scan_table,
)
from tasks.tables.delta import open_table
from unlearning.errors import DataError, RequestError
from unlearning.policy.deletion import ERASING, replay_id
from unlearning.policy.digests import SHORT, facts_digest
from unlearning.policy.subject_kinds import SubjectColumn

log = logging.getLogger("expunge.replay")

_NAME = "replay-"
"""How files of our own requests begin."""


@dataclass(frozen=True, order=True, slots=True)
class SearchedTable:
    """A version of a table to look for erased subjects in; None is its newest."""

    uri: str
    column: SubjectColumn
    version: int | None = None


def request_replays(services: Services) -> int:
    """Write a request for each erased subject who is back in a table; returns for how many.

    Whoever has an open request already, for example because a legal hold names them, gets none. The
    same state of the tables and of the suppression list gives the same ids, so that a second call
    writes nothing.
    """
    count = 0
    for table in sorted(_searched_tables(services), key=str):
        found = scan_table(services, table.uri, table.column, table.version)
        if found.rows:
            count += _request(services, table, found)
    return count


def restore_snapshots(services: Services) -> list[str]:
    """Point models to the newest version of tables that were restored from a copy.

    Only where the rows add up: the restored table holds as many rows as the model was last known to
    be trained on, not counting erased subjects. A sentence for each model where they do not.
    """
    if any(event.status in ERASING for _, event in services.journal.open_batches()):
        return []  # a run is changing these tables, or must first be continued
    models = [e for e in enrolled_models(services.journal) if not e.is_withdrawn]
    return [why for e in models if (why := _restore(services, e))]


def _searched_tables(services: Services) -> set[SearchedTable]:
    """Every table of every model; also the snapshot of a model that learned from erased rows."""
    found = set()
    for enrollment in enrolled_models(services.journal):
        column = enrollment.dataset.who
        found |= {SearchedTable(uri, column) for uri in enrollment.tables}
        if enrollment.relearned and not enrollment.is_withdrawn:
            found.add(SearchedTable(enrollment.dataset.uri, column, enrollment.dataset_version))
    return found


def _request(services: Services, table: SearchedTable, found: TableScan) -> int:
    back = frozenset(found.rows) - _asked_for(services)
    if not back:
        return 0
    log.error(
        "ALARM: %s holds %d rows of %d subjects who were erased before; requests are written.",
        table.uri,
        sum(found.rows[who] for who in back),
        len(back),
    )
    now = journal.now().isoformat(timespec="seconds")
    state = facts_digest({"fingerprint": found.fingerprint, "list": found.listed})[:SHORT]
    raw = raw_ids(services, table.uri, table.column, found.version, back)
    lines = [
        {
            "request_id": replay_id(who, state),
            "subject_id": subject,
            "received_at": now,
            "subject_kind": table.column.kind,
        }
        for subject, who in pseudonyms(services, raw, table.column.kind).items()
    ]
    name = facts_digest({"requests": sorted(line["request_id"] for line in lines)})[:SHORT]
    # Another run may have been quicker, with the same requests at another moment.
    services.store.put_if_absent(
        f"{inbox.SUBMITTED}{_NAME}{name}.jsonl",
        "\n".join(json.dumps(line) for line in lines).encode(),
    )
    return len(back)


def _asked_for(services: Services) -> set[str]:
    """Pseudonyms of everybody with an open request, or with one of ours that no run has taken."""
    subjects = {event.facts.subject for _, event in services.journal.open_requests()}
    ours = f"{inbox.SUBMITTED}{_NAME}"
    for info in inbox.new_files(services):
        if info.key.startswith(ours):
            subjects |= _named(info.key, services.store.get(info.key))
    return subjects


def _named(key: str, data: bytes) -> set[str]:
    """Pseudonyms in the request ids of a file; a file that is not ours may hold anything."""
    try:
        named = [str(row.fields.get("request_id")) for row in parse(key, data)]
    except RequestError:
        return set()
    return {found[1] for one in named if (found := re.match(replay_id(r"([0-9a-f]+)", ""), one))}


def _restore(services: Services, enrollment: Enrollment) -> str:
    """Point one model to the restored table if need be; a sentence if the rows do not add up."""
    if _is_in_place(services, enrollment):
        return ""
    spec = enrollment.dataset
    found = scan_table(services, spec.uri, spec.who)
    rows = known_count(services, enrollment, found)
    if rows != enrollment.row_count:
        why = (
            f"{spec.uri} was restored with {rows} rows of subjects who were not erased, but "
            f"{enrollment.model} was trained on {enrollment.row_count}; restore a later copy, or "
            f"enrol the model again with `expunge enroll {enrollment.model}`"
        )
        log.error("ALARM: %s.", why)
        return why
    facts = SnapshotRestored(
        dataset_version=found.version,
        row_count=rows,
        fingerprint=found.fingerprint,
        version_before=enrollment.dataset_version,
        erased_rows=found.row_count - rows,
    )
    number = read_model(services.journal, enrollment.model).event_count + 1
    services.journal.append(model_stream(enrollment.model), ids.restored(number), facts)
    log.warning("%s: snapshot is version %d of the table", enrollment.model, found.version)
    return ""


def _is_in_place(services: Services, enrollment: Enrollment) -> bool:
    """Whether the table still has the snapshot's version, with the files it had."""
    try:
        table = open_table(services.settings, enrollment.dataset.uri, enrollment.dataset_version)
    except DataError:
        # A table that is gone altogether is another trouble.
        open_table(services.settings, enrollment.dataset.uri)
        return False
    return enrollment.fingerprint == fingerprint(table)

"""What was found of a batch's subjects in the tables, search after search."""

import json
from dataclasses import dataclass, replace

from tasks.intake import batches
from tasks.journal.events.catalog import request_stream
from tasks.journal.events.requests import RequestBlocked, RequestUnblocked, told_because
from tasks.journal.journal import Entry
from tasks.journal.reading import subject_columns
from tasks.registry.services import Services
from tasks.tables.delta import is_table
from unlearning.policy.subject_kinds import PERSON, SubjectColumn

NOT_SEARCHED = -1
"""The version of a table that could not be opened."""


@dataclass(frozen=True, slots=True)
class TableMatches:
    """Rows of a batch in one table, counted per record."""

    uri: str
    column: str
    version: int
    row_count: int
    rows: dict[str, int]
    """0 for a record whose rows are gone by another hand: files and models may still hold them."""
    snapshots: tuple[int, ...] = ()
    """Other versions that models were pinned to and that could be searched for who has no rows."""
    kind: str = PERSON
    """Kind of the subjects whose rows it holds."""
    unread: tuple[str, ...] = ()
    """Models with a version that they learned from, and of which nobody can tell whose rows it
    held."""
    is_closed: bool = False
    """Whether somebody closed it by name: only rosters of weights that learned from it are read."""

    @property
    def is_searched(self) -> bool:
        """Whether it could be opened; a table of a former enrolment need not be there any more."""
        return self.version != NOT_SEARCHED

    @property
    def matched_count(self) -> int:
        """Rows of the batch in this table as its records count them."""
        return sum(self.rows.values())


def matches(services: Services, batch: str) -> list[TableMatches]:
    """What was found in each table: every record of any search, with the rows of the latest."""
    found: dict[str, TableMatches] = {}
    for key in searches(services, batch) or [matches_key(batch, 1)]:
        for latest in services.frozen.parsed(key, _tables):
            before = found[latest.uri].rows if latest.uri in found else {}
            found[latest.uri] = replace(latest, rows=dict.fromkeys(before, 0) | latest.rows)
    return [found[uri] for uri in sorted(found)]


def located_records(services: Services, batch: str) -> set[str]:
    """Ids of the records whose subjects were found in a table."""
    return {record for m in matches(services, batch) for record in m.rows}


def subject_tables(services: Services, batch: str) -> dict[str, SubjectColumn]:
    """Every table that may hold rows of the batch, with its subject column.

    Those of enrolled models, and those that were searched when models were enrolled on them.
    """
    now = subject_columns(services.journal)
    searched = matches(services, batch) if searches(services, batch) else []
    both = {m.uri: SubjectColumn(m.column, m.kind) for m in searched if not m.is_closed} | now
    return {
        uri: column
        for uri, column in both.items()
        if uri in now or is_table(services.settings, uri)
    }


def located_subjects(services: Services, batch: str, kind: str) -> list[str]:
    """Raw ids of the subjects of this kind that were found in a table; never leaves a task."""
    located = located_records(services, batch)
    by_record = batches.subjects_by_record(services, batch, kind)
    return sorted({subject for record, subject in by_record.items() if record in located})


def tell_requests_with_rows(
    services: Services,
    batch: str,
    event_id: str,
    event: type[RequestBlocked | RequestUnblocked],
    reason: str,
) -> None:
    """Append an event to every open request of the batch that has rows in a table, once."""
    located = located_records(services, batch)
    services.journal.append_all(
        Entry(
            request_stream(d.record_id),
            event_id,
            event(disposition=told_because(d, reason), batch=batch),
        )
        for d in batches.accepted(services, batch)
        if d.record_id in located
    )


def searches(services: Services, batch: str) -> list[str]:
    """Keys of what was found, oldest search first."""
    keys = (info.key for info in services.store.list_objects(f"batches/{batch}/matches"))
    return sorted(keys, key=lambda key: (len(key), key))


def matches_key(batch: str, number: int) -> str:
    """Where the `number`th search of a batch keeps what it found."""
    return f"batches/{batch}/matches{'' if number == 1 else f'-{number}'}.json"


def _tables(data: bytes) -> tuple[TableMatches, ...]:
    return tuple(TableMatches(**m) for m in json.loads(data))

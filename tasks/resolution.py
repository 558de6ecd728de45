"""Which rows of which tables belong to the subjects of a batch."""

import json
import logging
from dataclasses import asdict, dataclass

from tasks import batches, journal
from tasks.enrollment import subject_columns
from tasks.object_store import MissingObjectError, ObjectStore
from tasks.tables import count_by_subject, count_rows, open_table
from unlearning.errors import DataError

log = logging.getLogger("expunge.resolution")


@dataclass(frozen=True, slots=True)
class TableMatches:
    """Rows of a batch in one table, counted per record."""

    uri: str
    column: str
    version: int
    row_count: int
    rows: dict[str, int]

    @property
    def matched_count(self) -> int:
        """Rows of the batch in this table as its records count them."""
        return sum(self.rows.values())


def resolve(store: ObjectStore, batch: str) -> dict[str, int]:
    """Look for the subjects in every table of every enrolled model, once; returns counts only.

    Raises:
        DataError: no model is enrolled, so there is no table to look in.
    """
    try:
        found = matches(store, batch)
    except MissingObjectError:
        found = _search(store, batch)
        body = [asdict(m) for m in found]
        store.put_if_absent(_key(batch), json.dumps(body, indent=1).encode())
        found = matches(store, batch)
    located = {record for m in found for record in m.rows}
    wanted = {d.record_id for d in batches.accepted(store, batch)}
    counts = {
        "tables": len(found),
        "rows": sum(m.matched_count for m in found),
        "located": len(wanted & located),
        "not_found": len(wanted - located),
    }
    journal.append(store, journal.Entry(batches.stream(batch), "resolved", "RowsResolved", counts))
    return counts


def matches(store: ObjectStore, batch: str) -> list[TableMatches]:
    """The matches as they were first found."""
    return [TableMatches(**m) for m in json.loads(store.get(_key(batch)))]


def tell_located(store: ObjectStore, batch: str, key: str, event: str, reason: str) -> None:
    """Append an event to every open request of the batch that has rows in a table, once."""
    located = {record for m in matches(store, batch) for record in m.rows}
    entries = [
        journal.Entry(
            f"requests/{d.record_id}", key, event, {**asdict(d), "batch": batch, "reason": reason}
        )
        for d in batches.accepted(store, batch)
        if d.record_id in located
    ]
    journal.append_all(store, entries)


def _search(store: ObjectStore, batch: str) -> list[TableMatches]:
    columns = subject_columns(store)
    if not columns:
        raise DataError("No model is enrolled; run `expunge train` or `expunge enroll` first.")
    by_record = batches.subjects_by_record(store, batch)
    found = []
    for uri, column in sorted(columns.items()):
        table = open_table(uri)
        counts = count_by_subject(table, column, set(by_record.values()))
        rows = {r: counts[s] for r, s in by_record.items() if s in counts}
        found.append(TableMatches(uri, column, table.version(), count_rows(table), rows))
        log.info("%s: %d rows of %d subjects", uri, sum(counts.values()), len(counts))
    return found


def _key(batch: str) -> str:
    return f"batches/{batch}/matches.json"

"""Which rows of which tables belong to the subjects of a batch."""

import json
import logging
from dataclasses import asdict, dataclass, replace

from tasks.intake import batches
from tasks.journal import journal
from tasks.models.enrollment import Enrollment, enrolled_models, subject_columns
from tasks.store.objects import ObjectStore
from tasks.tables.delta import count_by_subject, count_rows, is_readable, is_table, open_table
from unlearning.errors import ConflictError, DataError

log = logging.getLogger("expunge.resolution")

_CLOSED = "search-closed"


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

    @property
    def matched_count(self) -> int:
        """Rows of the batch in this table as its records count them."""
        return sum(self.rows.values())


def resolve(store: ObjectStore, batch: str) -> dict[str, int]:
    """Look for the subjects in every table of every enrolled model; returns counts only.

    What was found stands, and a new search only adds to it. Searched again are tables that have
    changed since: for everybody until the batch begins to erase, then for those who have no rows
    anywhere yet; and tables that models were enrolled on since, be it on an older version of them.
    All until it begins to certify.

    Raises:
        DataError: no model is enrolled, so there is no table to look in.
    """
    wanted = _outdated(store, batch)
    if wanted:
        body = [asdict(m) for m in _search(store, batch, wanted)]
        key = _key(batch, len(_searches(store, batch)) + 1)
        # Another run may have been quicker, and its search is as good.
        store.put_if_absent(key, json.dumps(body, indent=1).encode())
    return _record(store, batch)


def _outdated(store: ObjectStore, batch: str) -> dict[str, str]:
    """Tables to search, each with its subject column."""
    columns = subject_columns(store)
    if not columns:
        raise DataError("No model is enrolled; run `expunge train` or `expunge enroll` first.")
    if not _searches(store, batch):
        return columns
    if is_closed(store, batch):
        return {}
    wanted = _unsearched(store, batch)
    if not _is_listed(store, batch) or _missing(store, batch):
        for found in matches(store, batch):
            if found.uri in columns and open_table(found.uri).version() != found.version:
                wanted[found.uri] = columns[found.uri]
    return wanted


def _unsearched(store: ObjectStore, batch: str) -> dict[str, str]:
    """Tables of models that were enrolled since, each with its subject column."""
    if is_closed(store, batch):
        return {}
    known = {m.uri: m for m in matches(store, batch)}
    enrolled = list(enrolled_models(store))
    return {
        uri: column
        for uri, column in subject_columns(store).items()
        if uri not in known or _missed_snapshots(enrolled, known[uri])
    }


def _missed_snapshots(enrolled: list[Enrollment], searched: TableMatches) -> set[int]:
    pinned = _pinned(enrolled, searched.uri, searched.version)
    return {older for older in pinned if older < searched.version} - set(searched.snapshots)


def refuse_unsearched(store: ObjectStore, batch: str) -> None:
    """Stop before an effect that rests on the search if it missed a table.

    Raises:
        ConflictError: a model was enrolled on it since; the next run searches it, too.
    """
    missed = sorted(_unsearched(store, batch))
    if missed:
        raise ConflictError(
            f"A model was enrolled on {missed[0]} while batch {batch} was at work; run again, so "
            "that its subjects are looked for there, too."
        )


def close_search(store: ObjectStore, batch: str) -> None:
    """End the search for good: certificates that state it must have the same bytes in every run.

    Raises:
        ConflictError: a table was not searched, or holds rows of somebody who had none.
    """
    if is_closed(store, batch):
        return
    refuse_unsearched(store, batch)
    _refuse_delivered(store, batch)
    journal.append(store, journal.Entry(batches.stream(batch), _CLOSED, "SearchClosed", {}))


def _refuse_delivered(store: ObjectStore, batch: str) -> None:
    missing = set(_missing(store, batch).values())
    columns = subject_columns(store) if missing else {}
    for uri, column in columns.items():
        if count_by_subject(open_table(uri), column, missing):
            raise ConflictError(
                f"Rows of subjects of batch {batch} who had none were written to {uri} while it "
                "was at work; run again, so that they are erased, too."
            )


def _is_listed(store: ObjectStore, batch: str) -> bool:
    """Whether the batch may have begun to erase: then tables lack rows because it deleted them."""
    return journal.find(store, batches.stream(batch), "suppressed") is not None


def is_closed(store: ObjectStore, batch: str) -> bool:
    """Whether the batch has begun to certify what it found."""
    return journal.find(store, batches.stream(batch), _CLOSED) is not None


def _missing(store: ObjectStore, batch: str) -> dict[str, str]:
    """Raw subject id of each record without rows in any table so far."""
    located = {record for m in matches(store, batch) for record in m.rows}
    by_record = batches.subjects_by_record(store, batch)
    return {record: subject for record, subject in by_record.items() if record not in located}


def _record(store: ObjectStore, batch: str) -> dict[str, int]:
    found, number = matches(store, batch), len(_searches(store, batch))
    located = {record for m in found for record in m.rows}
    wanted = {d.record_id for d in batches.accepted(store, batch)}
    counts = {
        "tables": len(found),
        "rows": sum(m.matched_count for m in found),
        "located": len(wanted & located),
        "not_found": len(wanted - located),
    }
    event_id = "resolved" if number == 1 else f"resolved/{number}"
    journal.append(store, journal.Entry(batches.stream(batch), event_id, "RowsResolved", counts))
    return counts


def matches(store: ObjectStore, batch: str) -> list[TableMatches]:
    """What was found in each table: every record of any search, with the rows of the latest."""
    found: dict[str, TableMatches] = {}
    for key in _searches(store, batch) or [_key(batch, 1)]:
        for latest in (TableMatches(**m) for m in json.loads(store.get(key))):
            before = found[latest.uri].rows if latest.uri in found else {}
            found[latest.uri] = replace(latest, rows=dict.fromkeys(before, 0) | latest.rows)
    return [found[uri] for uri in sorted(found)]


def subject_tables(store: ObjectStore, batch: str) -> dict[str, str]:
    """Every table that may hold rows of the batch, with its subject column.

    Those of enrolled models, and those that were searched when models were enrolled on them.
    """
    now = subject_columns(store)
    before = {} if not _searches(store, batch) else {m.uri: m.column for m in matches(store, batch)}
    return {uri: c for uri, c in (before | now).items() if uri in now or is_table(uri)}


def located_subjects(store: ObjectStore, batch: str) -> list[str]:
    """Raw ids of the subjects that were found in a table, each once; never leaves a task."""
    located = {record for m in matches(store, batch) for record in m.rows}
    by_record = batches.subjects_by_record(store, batch)
    return sorted({subject for record, subject in by_record.items() if record in located})


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


def _search(store: ObjectStore, batch: str, columns: dict[str, str]) -> list[TableMatches]:
    by_record = batches.subjects_by_record(store, batch)
    is_late = bool(_searches(store, batch)) and _is_listed(store, batch)
    known = {m.uri: m for m in matches(store, batch)} if is_late else {}
    located = {record for m in known.values() for record in m.rows}
    enrolled = list(enrolled_models(store))
    found: list[TableMatches] = []
    for uri, column in sorted(columns.items()):
        table = open_table(uri)
        # What is known of a table from before the batch deleted it there stays as it was.
        before = known.get(uri)
        stated = before.rows if before else {}
        settled = located if before and not _missed_snapshots(enrolled, before) else stated
        asked = {r: s for r, s in by_record.items() if r not in settled}
        wanted = set(asked.values())
        counts = count_by_subject(table, column, wanted)
        pinned = _pinned(enrolled, uri, table.version())
        counts |= dict.fromkeys(_only_in(uri, pinned, wanted - set(counts)), 0)
        rows = stated | {r: counts[s] for r, s in asked.items() if s in counts}
        snapshots = tuple(sorted(pinned))
        found.append(TableMatches(uri, column, table.version(), count_rows(table), rows, snapshots))
        log.info("%s: %d rows of %d subjects", uri, sum(counts.values()), len(counts))
    return found


def _pinned(enrolled: list[Enrollment], uri: str, version: int) -> dict[int, str]:
    """Readable versions other than this one that models are pinned to, with subject columns."""
    pinned = {
        e.dataset_version: e.dataset.subject
        for e in enrolled
        if e.dataset.uri == uri and e.dataset_version != version
    }
    return {older: column for older, column in pinned.items() if is_readable(uri, older)}


def _only_in(uri: str, pinned: dict[int, str], missing: set[str]) -> set[str]:
    """Those of the subjects without rows in the table's present whom a pinned version holds."""
    found: set[str] = set()
    for older, column in pinned.items() if missing else ():
        found |= count_by_subject(open_table(uri, older), column, missing).keys()
    return found


def _searches(store: ObjectStore, batch: str) -> list[str]:
    """Keys of what was found, oldest search first."""
    keys = (info.key for info in store.list_objects(f"batches/{batch}/matches"))
    return sorted(keys, key=lambda key: (len(key), key))


def _key(batch: str, number: int) -> str:
    return f"batches/{batch}/matches{'' if number == 1 else f'-{number}'}.json"

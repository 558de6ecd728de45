"""Which rows of which tables belong to the subjects of a batch."""

import json
import logging
from dataclasses import asdict, dataclass, replace

from tasks.intake import batches
from tasks.journal import journal
from tasks.journal.events.enrollment import Enrollment
from tasks.journal.reading import enrolled_models, subject_columns
from tasks.registry.services import Services
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


def resolve(services: Services, batch: str) -> dict[str, int]:
    """Look for the subjects in every table of every enrolled model; returns counts only.

    What was found stands, and a new search only adds to it. Searched again are tables that have
    changed since: for everybody until the batch begins to erase, then for those who have no rows
    anywhere yet; and tables that models were enrolled on since, be it on an older version of them.
    All until it begins to certify.

    Raises:
        DataError: no model is enrolled, so there is no table to look in.
    """
    wanted = _outdated(services, batch)
    if wanted:
        body = [asdict(m) for m in _search(services, batch, wanted)]
        key = _key(batch, len(_searches(services, batch)) + 1)
        # Another run may have been quicker, and its search is as good.
        services.store.put_if_absent(key, json.dumps(body, indent=1).encode())
    return _record(services, batch)


def _outdated(services: Services, batch: str) -> dict[str, str]:
    """Tables to search, each with its subject column."""
    columns = subject_columns(services.journal)
    if not columns:
        raise DataError("No model is enrolled; run `expunge train` or `expunge enroll` first.")
    if not _searches(services, batch):
        return columns
    if is_closed(services, batch):
        return {}
    wanted = _unsearched(services, batch)
    if not _is_listed(services, batch) or _missing(services, batch):
        for found in matches(services, batch):
            if (
                found.uri in columns
                and open_table(services.settings, found.uri).version() != found.version
            ):
                wanted[found.uri] = columns[found.uri]
    return wanted


def _unsearched(services: Services, batch: str) -> dict[str, str]:
    """Tables of models that were enrolled since, each with its subject column."""
    if is_closed(services, batch):
        return {}
    known = {m.uri: m for m in matches(services, batch)}
    enrolled = list(enrolled_models(services.journal))
    return {
        uri: column
        for uri, column in subject_columns(services.journal).items()
        if uri not in known or _missed_snapshots(services, enrolled, known[uri])
    }


def _missed_snapshots(
    services: Services, enrolled: list[Enrollment], searched: TableMatches
) -> set[int]:
    pinned = _pinned(services, enrolled, searched.uri, searched.version)
    return {older for older in pinned if older < searched.version} - set(searched.snapshots)


def refuse_unsearched(services: Services, batch: str) -> None:
    """Stop before an effect that rests on the search if it missed a table.

    Raises:
        ConflictError: a model was enrolled on it since; the next run searches it, too.
    """
    missed = sorted(_unsearched(services, batch))
    if missed:
        raise ConflictError(
            f"A model was enrolled on {missed[0]} while batch {batch} was at work; run again, so "
            "that its subjects are looked for there, too."
        )


def close_search(services: Services, batch: str) -> None:
    """End the search for good: certificates that state it must have the same bytes in every run.

    Raises:
        ConflictError: a table was not searched, or holds rows of somebody who had none.
    """
    if is_closed(services, batch):
        return
    refuse_unsearched(services, batch)
    _refuse_delivered(services, batch)
    services.journal.append(journal.Entry(batches.stream(batch), _CLOSED, "SearchClosed", {}))


def _refuse_delivered(services: Services, batch: str) -> None:
    missing = set(_missing(services, batch).values())
    columns = subject_columns(services.journal) if missing else {}
    for uri, column in columns.items():
        if count_by_subject(open_table(services.settings, uri), column, missing):
            raise ConflictError(
                f"Rows of subjects of batch {batch} who had none were written to {uri} while it "
                "was at work; run again, so that they are erased, too."
            )


def _is_listed(services: Services, batch: str) -> bool:
    """Whether the batch may have begun to erase: then tables lack rows because it deleted them."""
    return services.journal.find(batches.stream(batch), "suppressed") is not None


def is_closed(services: Services, batch: str) -> bool:
    """Whether the batch has begun to certify what it found."""
    return services.journal.find(batches.stream(batch), _CLOSED) is not None


def _missing(services: Services, batch: str) -> dict[str, str]:
    """Raw subject id of each record without rows in any table so far."""
    located = {record for m in matches(services, batch) for record in m.rows}
    by_record = batches.subjects_by_record(services, batch)
    return {record: subject for record, subject in by_record.items() if record not in located}


def _record(services: Services, batch: str) -> dict[str, int]:
    found, number = matches(services, batch), len(_searches(services, batch))
    located = {record for m in found for record in m.rows}
    wanted = {d.record_id for d in batches.accepted(services, batch)}
    counts = {
        "tables": len(found),
        "rows": sum(m.matched_count for m in found),
        "located": len(wanted & located),
        "not_found": len(wanted - located),
    }
    event_id = "resolved" if number == 1 else f"resolved/{number}"
    services.journal.append(journal.Entry(batches.stream(batch), event_id, "RowsResolved", counts))
    return counts


def _tables(data: bytes) -> tuple[TableMatches, ...]:
    return tuple(TableMatches(**m) for m in json.loads(data))


def matches(services: Services, batch: str) -> list[TableMatches]:
    """What was found in each table: every record of any search, with the rows of the latest."""
    found: dict[str, TableMatches] = {}
    for key in _searches(services, batch) or [_key(batch, 1)]:
        for latest in services.frozen.parsed(key, _tables):
            before = found[latest.uri].rows if latest.uri in found else {}
            found[latest.uri] = replace(latest, rows=dict.fromkeys(before, 0) | latest.rows)
    return [found[uri] for uri in sorted(found)]


def subject_tables(services: Services, batch: str) -> dict[str, str]:
    """Every table that may hold rows of the batch, with its subject column.

    Those of enrolled models, and those that were searched when models were enrolled on them.
    """
    now = subject_columns(services.journal)
    searched = matches(services, batch) if _searches(services, batch) else []
    both = {m.uri: m.column for m in searched} | now
    return {
        uri: column
        for uri, column in both.items()
        if uri in now or is_table(services.settings, uri)
    }


def located_subjects(services: Services, batch: str) -> list[str]:
    """Raw ids of the subjects that were found in a table, each once; never leaves a task."""
    located = {record for m in matches(services, batch) for record in m.rows}
    by_record = batches.subjects_by_record(services, batch)
    return sorted({subject for record, subject in by_record.items() if record in located})


def tell_located(services: Services, batch: str, key: str, event: str, reason: str) -> None:
    """Append an event to every open request of the batch that has rows in a table, once."""
    located = {record for m in matches(services, batch) for record in m.rows}
    entries = [
        journal.Entry(
            f"requests/{d.record_id}", key, event, {**asdict(d), "batch": batch, "reason": reason}
        )
        for d in batches.accepted(services, batch)
        if d.record_id in located
    ]
    services.journal.append_all(entries)


def _search(services: Services, batch: str, columns: dict[str, str]) -> list[TableMatches]:
    by_record = batches.subjects_by_record(services, batch)
    is_late = bool(_searches(services, batch)) and _is_listed(services, batch)
    known = {m.uri: m for m in matches(services, batch)} if is_late else {}
    located = {record for m in known.values() for record in m.rows}
    enrolled = list(enrolled_models(services.journal))
    found: list[TableMatches] = []
    for uri, column in sorted(columns.items()):
        table = open_table(services.settings, uri)
        # What is known of a table from before the batch deleted it there stays as it was.
        before = known.get(uri)
        stated = before.rows if before else {}
        settled = (
            located if before and not _missed_snapshots(services, enrolled, before) else stated
        )
        asked = {r: s for r, s in by_record.items() if r not in settled}
        wanted = set(asked.values())
        counts = count_by_subject(table, column, wanted)
        pinned = _pinned(services, enrolled, uri, table.version())
        counts |= dict.fromkeys(_only_in(services, uri, pinned, wanted - set(counts)), 0)
        rows = stated | {r: counts[s] for r, s in asked.items() if s in counts}
        snapshots = tuple(sorted(pinned))
        found.append(TableMatches(uri, column, table.version(), count_rows(table), rows, snapshots))
        log.info("%s: %d rows of %d subjects", uri, sum(counts.values()), len(counts))
    return found


def _pinned(
    services: Services, enrolled: list[Enrollment], uri: str, version: int
) -> dict[int, str]:
    """Readable versions other than this one that models are pinned to, with subject columns."""
    pinned = {
        e.dataset_version: e.dataset.subject
        for e in enrolled
        if e.dataset.uri == uri and e.dataset_version != version
    }
    return {
        older: column
        for older, column in pinned.items()
        if is_readable(services.settings, uri, older)
    }


def _only_in(services: Services, uri: str, pinned: dict[int, str], missing: set[str]) -> set[str]:
    """Those of the subjects without rows in the table's present whom a pinned version holds."""
    found: set[str] = set()
    for older, column in pinned.items() if missing else ():
        found |= count_by_subject(open_table(services.settings, uri, older), column, missing).keys()
    return found


def _searches(services: Services, batch: str) -> list[str]:
    """Keys of what was found, oldest search first."""
    keys = (info.key for info in services.store.list_objects(f"batches/{batch}/matches"))
    return sorted(keys, key=lambda key: (len(key), key))


def _key(batch: str, number: int) -> str:
    return f"batches/{batch}/matches{'' if number == 1 else f'-{number}'}.json"

"""Which rows of which tables belong to the subjects of a batch."""

import json
import logging
from dataclasses import asdict, replace

from tasks.intake import batches
from tasks.journal.events import ids
from tasks.journal.events.batches import RowsResolved, SearchClosed
from tasks.journal.events.catalog import batch_stream
from tasks.journal.reading import read_batch
from tasks.registry.services import Services
from tasks.subjects.learned_rows import search_rosters
from tasks.subjects.matches import (
    NOT_SEARCHED,
    TableMatches,
    located_records,
    matches,
    matches_key,
    searches,
)
from tasks.subjects.overlooked import with_overlooked
from tasks.subjects.tied_tables import (
    Learned,
    learned,
    open_searched,
    readable_versions,
    searched_columns,
)
from tasks.tables import transaction_log
from tasks.tables.delta import count_by_subject, count_rows, open_table
from unlearning.errors import ConflictError, DataError
from unlearning.policy.counted import counted
from unlearning.policy.subject_kinds import SubjectColumn

log = logging.getLogger("expunge.resolution")


def resolve(services: Services, batch: str) -> dict[str, int]:
    """Look for the subjects in every table of every enrolment there ever was; returns counts only.

    What was found stands, and a new search only adds to it. Searched again are tables that have
    changed since: for everybody until the batch begins to erase, then for those who have no rows in
    that table yet, for the batch erases them there, too; and tables that models were enrolled on
    since, be it on an older version of them. All until it begins to certify.

    Raises:
        DataError: no model is enrolled, so there is no table to look in.
    """
    wanted = _outdated(services, batch)
    if wanted:
        body = [asdict(m) for m in _search(services, batch, wanted)]
        key = matches_key(batch, len(searches(services, batch)) + 1)
        # Another run may have been quicker, and its search is as good.
        services.store.put_if_absent(key, json.dumps(body, indent=1).encode())
    return _record(services, batch)


def _outdated(services: Services, batch: str) -> dict[str, SubjectColumn]:
    """Tables to search, each with its subject column."""
    columns = searched_columns(services)
    if not columns:
        raise DataError("No model is enrolled; run `expunge train` or `expunge enroll` first.")
    if not searches(services, batch):
        return _asked_columns(services)
    if read_batch(services.journal, batch).is_search_closed:
        return {}
    wanted = _unsearched(services, batch)
    for found in matches(services, batch):
        if found.uri in columns and _version(services, found.uri) != found.version:
            wanted[found.uri] = columns[found.uri]
    return wanted


def _asked_columns(services: Services) -> dict[str, SubjectColumn]:
    """Tables to search, and those that were closed and that weights learned from: rosters answer.

    Closing a table ends the search of it, never the memory of what weights learned there.
    """
    of_weights = {one.tie.dataset.uri: one.tie.dataset.who for one in learned(services)}
    return of_weights | searched_columns(services)


def _version(services: Services, uri: str) -> int:
    table = open_searched(services, uri)
    return NOT_SEARCHED if table is None else table.version()


def _unsearched(services: Services, batch: str) -> dict[str, SubjectColumn]:
    """Tables of models enrolled since, and those closed since, each with its subject column.

    A table where the batch has begun to erase is taken to its end, whoever closed it since.
    """
    history = read_batch(services.journal, batch)
    if history.is_search_closed:
        return {}
    known = {m.uri: m for m in matches(services, batch)}
    ties, still = learned(services), searched_columns(services)
    begun = {uri for uri, table in history.tables.items() if table.is_begun}
    closed = {
        uri: SubjectColumn(one.column, one.kind)
        for uri, one in known.items()
        if not one.is_closed and uri not in still and uri not in begun
    }
    return closed | {
        uri: column
        for uri, column in _asked_columns(services).items()
        if uri not in known
        or (known[uri].is_closed and uri in still)
        or _missed_snapshots(services, ties, known[uri])
    }


def _missed_snapshots(services: Services, ties: list[Learned], searched: TableMatches) -> set[int]:
    if not searched.is_searched:
        return set()
    pinned = readable_versions(services, ties, searched.uri, searched.version, searched.kind)
    return {older for older in pinned if older < searched.version} - set(searched.snapshots)


def refuse_unsearched(services: Services, batch: str) -> None:
    """Stop before an effect that rests on the search if it missed a table.

    Raises:
        ConflictError: a model was enrolled on it since, or somebody closed it; the next run goes by
            that.
    """
    missed = sorted(_unsearched(services, batch))
    if missed:
        raise ConflictError(
            f"A model was enrolled on {missed[0]}, or somebody closed it, while batch {batch} was "
            "at work; run again, so that its subjects are looked for in the right tables."
        )


def close_search(services: Services, batch: str) -> None:
    """End the search for good: certificates that state it must have the same bytes in every run.

    Raises:
        ConflictError: a table was not searched, or holds rows of somebody who had none.
    """
    if read_batch(services.journal, batch).is_search_closed:
        return
    refuse_unsearched(services, batch)
    _refuse_delivered(services, batch)
    services.journal.append(batch_stream(batch), ids.SEARCH_CLOSED, SearchClosed())


def _refuse_delivered(services: Services, batch: str) -> None:
    missing = _missing(services, batch)
    for uri, (column, kind) in searched_columns(services).items() if missing else ():
        wanted = set(batches.subjects_by_record(services, batch, kind, missing).values())
        table = open_searched(services, uri) if wanted else None
        if table is not None and count_by_subject(table, column, wanted):
            raise ConflictError(
                f"Rows of subjects of batch {batch} who had none were written to {uri} while it "
                "was at work; run again, so that they are erased, too."
            )


def _missing(services: Services, batch: str) -> set[str]:
    """Every record without rows in any table so far."""
    wanted = {d.record_id for d in batches.accepted(services, batch)}
    return wanted - located_records(services, batch)


def _record(services: Services, batch: str) -> dict[str, int]:
    found, located = matches(services, batch), located_records(services, batch)
    wanted = {d.record_id for d in batches.accepted(services, batch)}
    facts = RowsResolved(
        tables=len(found),
        rows=sum(m.matched_count for m in found),
        located=len(wanted & located),
        not_found=len(wanted - located),
    )
    number = len(searches(services, batch))
    services.journal.append(batch_stream(batch), ids.resolved(number), facts)
    return asdict(facts)


def _search(
    services: Services, batch: str, columns: dict[str, SubjectColumn]
) -> list[TableMatches]:
    is_late = bool(searches(services, batch)) and read_batch(services.journal, batch).is_suppressed
    known = {m.uri: m for m in matches(services, batch)} if is_late else {}
    ties, still = learned(services), searched_columns(services)
    found: list[TableMatches] = []
    for uri, (column, kind) in sorted(columns.items()):
        by_record = batches.subjects_by_record(services, batch, kind)
        table = open_searched(services, uri) if uri in still else None
        # What is known of a table from before the batch deleted it there stays as it was.
        before = known.get(uri)
        stated = before.rows if before else {}
        if table is None:
            away = TableMatches(uri, column, NOT_SEARCHED, 0, stated, (), kind)
            away = replace(away, is_closed=uri not in still)
            found.append(_by_rosters(services, batch, away))
            continue
        asked = {r: s for r, s in by_record.items() if r not in stated}
        wanted = set(asked.values())
        counts = count_by_subject(table, column, wanted)
        pinned = readable_versions(services, ties, uri, table.version(), kind)
        counts |= _former(services, uri, column, pinned, wanted - set(counts))
        readable = {table.version(), *pinned}
        others = [one for one in _of(ties, uri, kind) if one.tie.version not in readable]
        gone, unread = search_rosters(services, batch, others, wanted - set(counts), kind)
        counts |= dict.fromkeys(gone, 0)
        rows = stated | {r: counts[s] for r, s in asked.items() if s in counts}
        snapshots = tuple(sorted(pinned))
        seen = (table.version(), count_rows(table))
        found.append(TableMatches(uri, column, *seen, rows, snapshots, kind, unread))
        count = counted(sum(counts.values()), "row")
        log.info("%s: %s of %s", uri, count, counted(len(counts), "subject"))
    return with_overlooked(services, found)


def _of(ties: list[Learned], uri: str, kind: str) -> list[Learned]:
    """Those of the table and of this kind; subjects of another have the same ids by chance."""
    return [o for o in ties if o.tie.dataset.uri == uri and o.tie.dataset.subject_kind == kind]


def _by_rosters(services: Services, batch: str, away: TableMatches) -> TableMatches:
    """What weights are on record to have learned from a table that is not searched."""
    asked = batches.subjects_by_record(services, batch, away.kind)
    wanted = {s for r, s in asked.items() if r not in away.rows}
    ties = _of(learned(services), away.uri, away.kind)
    gone, unread = search_rosters(services, batch, ties, wanted, away.kind)
    traced = {r: 0 for r, s in asked.items() if s in gone}
    return replace(away, rows=traced | away.rows, unread=unread)


def _former(
    services: Services, uri: str, column: str, pinned: dict[int, str], missing: set[str]
) -> dict[str, int]:
    """Those of the subjects without rows in the present who left some in a pinned version, or ids.

    Whoever's rows others deleted by name stands in the table's log. Each has 0 rows.
    """
    found: set[str] = set()
    for older, named_by in pinned.items() if missing else ():
        table = open_table(services.settings, uri, older)
        found |= count_by_subject(table, named_by, missing).keys()
    found |= transaction_log.named(services.settings, uri, column, missing - found)
    return dict.fromkeys(found, 0)

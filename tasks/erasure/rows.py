"""A batch's rows gone from a table, and the row arithmetic that says so."""

import logging
from collections.abc import Collection
from functools import partial

from tasks.attempts.unhindered import counting
from tasks.erasure.addresses import note_addresses, refuse_undeletable_objects
from tasks.erasure.batch_rows import BatchRows, table_history
from tasks.erasure.former_versions import note_former
from tasks.erasure.pointers import refuse_unread_pointers
from tasks.erasure.telling_apart import in_the_way
from tasks.intake import batches
from tasks.journal.effects import once
from tasks.journal.events import ids
from tasks.journal.events.batches import ErasureIntended, RowsErased, TableGone
from tasks.journal.events.catalog import batch_stream
from tasks.journal.reading import ever_columns, read_batch, subject_columns, tolerated_folders
from tasks.registry.services import Services
from tasks.subjects.matches import TableMatches, located_subjects, matches
from tasks.subjects.sent_ahead import send
from tasks.tables.deletion import deletions
from tasks.tables.delta import count_rows, is_readable, is_table, open_table
from tasks.tables.lasting_texts import refuse_lasting_ids
from tasks.tables.readiness import refuse_unready
from tasks.tables.space import refuse_full
from unlearning.errors import DataError
from unlearning.policy.counted import counted
from unlearning.policy.subject_kinds import SubjectColumn

log = logging.getLogger("expunge.erasure")


def erase_rows(services: Services, batch: str, uri: str) -> RowsErased:
    """Delete the batch's rows from one table, once; the row arithmetic is checked afterwards.

    Rows of the subjects that others append meanwhile are deleted too. Those that come after that,
    but before the batch begins to certify, make another round.

    Raises:
        ConflictError: they are appended faster than they can be deleted.
        DataError: rows are missing, or too many are left; or they could not be erased for good.
    """
    rows = BatchRows(services, batch, uri)
    _refuse_unready(services, batch, rows)
    erased = table_history(services, batch, uri).erased
    number = len(erased) + 1
    if erased and not _is_due(services, batch, rows, number):
        return erased[-1]
    table = open_table(services.settings, uri)
    # Others may have deleted the rows first: what models learned tells what those pointed to.
    column = SubjectColumn(rows.column, rows.kind)
    note_addresses(services, batch, table, uri, column, rows.subjects)

    def find(planned: ErasureIntended) -> RowsErased | None:
        return None if rows.are_there() else _arithmetic(services, rows.mark, planned)

    facts = once(
        services.journal,
        batch_stream(batch),
        key=ids.erased(uri, number),
        plan=ErasureIntended(
            table=uri, version_before=table.version(), rows_before=count_rows(table)
        ),
        find=find,
        make=lambda _: rows.delete(),
    )
    log.info("%s: erased %s", uri, counted(facts.rows_matched, "row"))
    return facts


def tables_of(services: Services, batch: str) -> list[str]:
    """The tables in which the batch has rows to erase, or began to erase some.

    One that is no more, or closed, and that no model is enrolled on, holds up nothing: people are
    called, and certificates say that nothing was erased there.

    Raises:
        DataError: rows of one of them could not be erased for good; none was deleted anywhere yet.
    """
    begun, found = _begun(services, batch), _wanted(services, batch)
    there = [m.uri for m in found if not _is_gone(services, batch, m.uri, is_closed=m.is_closed)]
    if not begun:
        for uri in there:
            _refuse_unready(services, batch, BatchRows(services, batch, uri))
    return there


def refuse_unready_tables(services: Services, batch: str) -> None:
    """Stop while no model was changed, if rows of the batch could not be erased for good.

    Looked at again before anything is deleted: others may have written to the tables since. Who has
    no rows in such a table goes ahead in a batch of their own.

    Raises:
        DataError: so it is with one of the tables in which the batch has rows.
    """
    if _begun(services, batch):
        return
    enrolled = subject_columns(services.journal)
    troubles, staying = list[DataError](), set[str]()
    for found in _wanted(services, batch):
        is_there = not found.is_closed and is_table(services.settings, found.uri)
        if is_there or found.uri in enrolled:
            rows = BatchRows(services, batch, found.uri)
            try:
                _refuse_unready_table(services, batch, rows)
            except DataError as error:
                troubles.append(error)
                staying |= found.rows.keys()
                continue
            try:
                _refuse_unready_objects(services, batch, rows, rows.subjects)
            except DataError as error:
                troubles.append(error)
                staying |= _held_by_objects(services, batch, rows, found.rows)
    if troubles:
        going = {d.record_id for d in batches.accepted(services, batch)} - staying
        send(services, batch, going, counting(services, batch, going))
        raise troubles[0]


def _begun(services: Services, batch: str) -> set[str]:
    history = read_batch(services.journal, batch)
    return {uri for uri, table in history.tables.items() if table.is_begun}


def _wanted(services: Services, batch: str) -> list[TableMatches]:
    """Tables with rows of requests that are to be erased, and those where that has begun.

    In one of the latter every request may be withheld since for rows in another table: what was
    deleted from it must still go from its files.
    """
    wanted, begun = (
        {d.record_id for d in batches.accepted(services, batch)},
        _begun(services, batch),
    )
    return [m for m in matches(services, batch) if m.uri in begun or wanted & set(m.rows)]


def _refuse_unready(services: Services, batch: str, rows: BatchRows) -> None:
    _refuse_unready_table(services, batch, rows)
    _refuse_unready_objects(services, batch, rows, rows.subjects)


def _held_by_objects(
    services: Services, batch: str, rows: BatchRows, found: Collection[str]
) -> set[str]:
    """Records whose objects are in the way; all that have rows, if it is nobody's of them alone."""
    try:
        refuse_unread_pointers(services)
    except DataError:
        return set(found)
    by_record = batches.subjects_by_record(services, batch, rows.kind)
    subjects = {record: by_record[record] for record in found if record in by_record}
    return in_the_way(partial(_refuse_unready_objects, services, batch, rows), subjects)


def _refuse_unready_table(services: Services, batch: str, rows: BatchRows) -> None:
    refuse_unready(
        services.settings,
        rows.uri,
        store_uri=services.store.uri,
        tolerated=tolerated_folders(services.journal, rows.uri),
    )
    refuse_full(services.settings, rows.uri, rows.column, rows.subjects)
    everybody = batches.subjects(services, batch, rows.kind)  # as the search afterwards
    refuse_lasting_ids(services.settings, rows.uri, rows.column, everybody, rows.subjects)


def _refuse_unready_objects(
    services: Services, batch: str, rows: BatchRows, subjects: Collection[str]
) -> None:
    column, ever = SubjectColumn(rows.column, rows.kind), ever_columns(services.journal)
    kinds = {one.kind for one in ever.values()} - {rows.kind}
    located = {kind: located_subjects(services, batch, kind) for kind in kinds}
    whose = {**located, rows.kind: subjects}
    but = {uri: (one.name, whose[one.kind]) for uri, one in ever.items()}
    refuse_undeletable_objects(services, rows.uri, column, subjects, but)


def _is_gone(services: Services, batch: str, uri: str, *, is_closed: bool) -> bool:
    """Whether the table is no more, which is recorded; one that models need is only away."""
    history = table_history(services, batch, uri)
    if history.purged:
        return False
    if not history.is_gone:
        is_there = not is_closed and is_table(services.settings, uri)
        if is_there or uri in subject_columns(services.journal):
            return False
        log.error(
            "ALARM: %s, in which batch %s found rows, is %s, and no model is enrolled on it; "
            "nothing is erased there. Find out %s.",
            uri,
            batch,
            "closed" if is_closed else "no more",
            "who erases them there" if is_closed else "where its files went",
        )
        services.journal.append(batch_stream(batch), ids.gone(uri), TableGone(table=uri))
        note_former(services, batch, uri)
    return True


def _arithmetic(services: Services, mark: str, planned: ErasureIntended) -> RowsErased:
    """Rows before, deleted and after, by the commits that deleted them.

    Others may have written before, between and after these commits, so each one is compared with
    the version right before it, as long as that has its files.
    """
    uri = planned.table
    now = open_table(services.settings, uri)
    deleted = deletions(now, mark, planned.version_before)
    for version, count in deleted.items():
        _check_commit(services, uri, version, count)
    first, last = min(deleted, default=now.version() + 1), max(deleted, default=now.version())
    after, matched = count_rows(open_table(services.settings, uri, last)), sum(deleted.values())
    before = after + matched
    if is_readable(services.settings, uri, first - 1):
        before = count_rows(open_table(services.settings, uri, first - 1))
    return RowsErased(
        table=uri,
        version_before=first - 1,
        rows_before=before,
        rows_matched=matched,
        rows_appended=after - before + matched,
        version_after=last,
        rows_after=after,
        rows_matched_after=0,
    )


def _check_commit(services: Services, uri: str, version: int, count: int) -> None:
    if not is_readable(services.settings, uri, version - 1):
        return  # another batch purged the table since
    before, after = (
        count_rows(open_table(services.settings, uri, v)) for v in (version - 1, version)
    )
    if after != before - count:
        raise DataError(
            f"{uri} had {before} rows, {count} matched, {after} are left; stop and restore "
            f"version {version - 1}."
        )


def _is_due(services: Services, batch: str, rows: BatchRows, number: int) -> bool:
    """Whether there is another round to make, or one to finish."""
    history = read_batch(services.journal, batch)
    if history.is_search_closed:  # who is delivered again by now is asked for anew, by a replay
        return False
    return ids.intent(ids.erased(rows.uri, number)) in history.event_ids or rows.are_there()

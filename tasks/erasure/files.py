"""Files, object versions and log entries gone that tell of erased rows, and the proof of it."""

import logging

from tasks.erasure.batch_rows import BatchRows, table_history
from tasks.intake import batches
from tasks.journal.effects import once
from tasks.journal.events import ids
from tasks.journal.events.batches import FilesPurged, PurgeIntended
from tasks.journal.events.catalog import batch_stream
from tasks.journal.reading import object_columns, tolerated_folders
from tasks.registry.services import Services
from tasks.store import lease
from tasks.tables import absence_scan, folder, transaction_log
from tasks.tables.deletion import leftover_files, remove_old_versions, vacuum
from tasks.tables.delta import count_rows, open_table, refuse_links

log = logging.getLogger("expunge.erasure")


def purge_files(services: Services, batch: str, uri: str) -> FilesPurged:
    """Remove every file, object version and log entry that tells of erased rows, once; look again.

    Raises:
        DataError: an erased id still stands in an object of the table, a link may lead to one, or
            something that is not the table's own lies in its folder.
        ConflictError: one stands in a file that a writer may be about to commit.
    """
    refuse_links(services.settings, uri)
    tolerated = tolerated_folders(services.journal, uri)
    folder.refuse_foreign(folder.look(services.settings, uri, tolerated), uri)
    rows = BatchRows(services, batch, uri)
    number = len(table_history(services, batch, uri).erased) or 1
    found = leftover_files(services.settings, uri, tolerated)
    return once(
        services.journal,
        batch_stream(batch),
        key=ids.purged_files(uri, number),
        plan=PurgeIntended(table=uri, files_found=found),
        find=lambda planned: _proven(services, batch, rows, planned),
        make=lambda _: _purge(services, batch, rows),
    )


def _proven(
    services: Services, batch: str, rows: BatchRows, planned: PurgeIntended
) -> FilesPurged | None:
    """What a search of every object found; None while there is something left to remove."""
    settings, uri = services.settings, planned.table
    tolerated = tolerated_folders(services.journal, uri)
    if (
        leftover_files(settings, uri, tolerated)
        or rows.are_there()
        or _is_told_by_log(services, batch, rows)
    ):
        return None
    # Whoever had no rows is looked for as well: the certificate says so.
    others = folder.look(settings, uri, tolerated)
    folder.refuse_foreign(others, uri)
    subjects = batches.subjects(services, batch, rows.kind)
    found = absence_scan.search(
        settings, uri, rows.column, subjects, others.tolerated, others.young
    )
    absence_scan.check(found, uri)
    table = open_table(settings, uri)
    return FilesPurged(
        table=uri,
        files_removed=planned.files_found,
        leftover_files=0,
        objects_searched=found.objects,
        bytes_searched=found.size,
        ids_searched=found.ids,
        ids_searched_as_words=found.words,
        hits=len(found.hits),
        version=table.version(),
        rows=count_rows(table),
        not_searched=others.prefixes,
        uncommitted=len(others.young),
    )


def _purge(services: Services, batch: str, rows: BatchRows) -> None:
    settings, uri = services.settings, rows.uri
    tolerated = tolerated_folders(services.journal, uri)
    if rows.are_there():
        log.warning("%s: rows of erased subjects were appended again; deleting them", uri)
        rows.delete()
    lease.check(services.store)
    vacuum(settings, uri, tolerated)
    lease.check(services.store)
    if _is_told_by_log(services, batch, rows):
        transaction_log.trim(settings, uri)
    remove_old_versions(settings, uri, tolerated)


def _is_told_by_log(services: Services, batch: str, rows: BatchRows) -> bool:
    """Whether the log names people who are gone, by their ids or by addresses of their objects."""
    settings, uri = services.settings, rows.uri
    addresses = [one.column for one in object_columns(services.journal, uri)]
    subjects = batches.subjects(services, batch, rows.kind)
    return transaction_log.names_people(settings, uri, rows.column, subjects) or any(
        transaction_log.names_people(settings, uri, column) for column in addresses
    )

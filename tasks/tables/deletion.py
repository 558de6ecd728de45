"""Rows of a Delta table deleted, and the files that still hold them removed."""

from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable

from tasks.environment.settings import Settings
from tasks.foreign_errors import translated
from tasks.store.opening import open_store
from tasks.tables import folder, log_texts
from tasks.tables.delta import open_table, subject_array

_FEW, _AT_ONCE = 100, 16


def delete_rows(
    settings: Settings,
    uri: str,
    column: str,
    subjects: Iterable[str],
    mark: str = "",
    version: int | None = None,
) -> None:
    """Delete the subjects' rows by a merge with a table of ids; the commit bears the mark.

    With a `version`, exactly the rows that it has: if others wrote since, nothing is deleted.

    A predicate would be written into the table's log, ids and all, and would have to be quoted.

    Raises:
        TransientError: others wrote meanwhile.
    """
    table = open_table(settings, uri, version)
    ids = pa.table({"id": subject_array(table, column, subjects)})
    quoted = column.replace('"', '""')
    with translated("table"):
        table.merge(
            ids,
            f'target."{quoted}" = source.id',
            source_alias="source",
            target_alias="target",
            commit_properties=CommitProperties(custom_metadata={log_texts.MARK: mark}),
        ).when_matched_delete().execute()


def deletions(table: DeltaTable, mark: str, since: int) -> dict[int, int]:
    """Rows deleted by each commit that bears the mark, by version, oldest first."""
    newer = table.version() - since
    with translated("table"):
        found = table.history(newer) if newer else []
    return {
        entry["version"]: int(entry["operationMetrics"]["num_target_rows_deleted"])
        for entry in reversed(found)
        if entry.get(log_texts.MARK) == mark and entry["version"] > since
    }


def vacuum(settings: Settings, uri: str, tolerated: Collection[str] = ()) -> None:
    """Remove every file of the table's own that its newest version does not use, and nothing else.

    Left are files that no log entry names and that are so young that a writer may yet commit them.
    Not by Delta's vacuum, which takes whatever lies in the folder, other tables too, and leaves
    what begins with an underscore. It also fails for good on a partition without a value.

    Raises:
        DataError: something that is not the table's own lies in its folder; nothing is removed.
    """
    found = folder.look(settings, uri, tolerated)
    folder.refuse_foreign(found, uri)
    store, keys = open_store(uri, settings), sorted(found.old)
    if len(keys) <= _FEW:  # in an order that is always the same
        for key in keys:
            store.delete(key)
        return
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for _ in pool.map(store.delete, keys):
            pass


def remove_old_versions(settings: Settings, uri: str, tolerated: Collection[str] = ()) -> None:
    """Remove old object versions, delete markers and unfinished uploads below the table.

    Those in tolerated folders are left alone.
    """
    open_store(uri, settings).purge_noncurrent("", spared=tuple(tolerated))


def leftover_files(settings: Settings, uri: str, tolerated: Collection[str] = ()) -> int:
    """How many objects below the table, or old versions of some, are not of its newest version.

    Whatever is tolerated, or may be committed yet, is not counted.

    Raises:
        DataError: data files of the newest version are missing.
    """
    found = folder.look(settings, uri, tolerated)
    old_versions = open_store(uri, settings).count_noncurrent("", spared=tuple(tolerated))
    return len(found.old) + len(found.foreign) + old_versions

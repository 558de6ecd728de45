"""Rows of a Delta table deleted, and the files that still hold them removed."""

from collections.abc import Iterable

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable

from tasks.environment.settings import Settings
from tasks.foreign_errors import translated
from tasks.store.opening import open_store
from tasks.tables.delta import open_table, subject_array, used_files
from unlearning.errors import DataError

_MARK = "expunge"


def delete_rows(
    settings: Settings, uri: str, column: str, subjects: Iterable[str], mark: str = ""
) -> None:
    """Delete the subjects' rows by a merge with a table of ids; the commit bears the mark.

    A predicate would be written into the table's log, ids and all, and would have to be quoted.
    """
    table = open_table(settings, uri)
    ids = pa.table({"id": subject_array(table, column, subjects)})
    quoted = column.replace('"', '""')
    with translated("table"):
        table.merge(
            ids,
            f'target."{quoted}" = source.id',
            source_alias="source",
            target_alias="target",
            commit_properties=CommitProperties(custom_metadata={_MARK: mark}),
        ).when_matched_delete().execute()


def deletions(table: DeltaTable, mark: str, since: int) -> dict[int, int]:
    """Rows deleted by each commit that bears the mark, by version, oldest first."""
    newer = table.version() - since
    with translated("table"):
        found = table.history(newer) if newer else []
    return {
        entry["version"]: int(entry["operationMetrics"]["num_target_rows_deleted"])
        for entry in reversed(found)
        if entry.get(_MARK) == mark and entry["version"] > since
    }


def vacuum(settings: Settings, uri: str) -> None:
    """Remove every file that the newest version does not use."""
    with translated("table"):
        open_table(settings, uri).vacuum(
            retention_hours=0, dry_run=False, enforce_retention_duration=False, full=True
        )


def remove_old_versions(settings: Settings, uri: str) -> None:
    """Remove old object versions, delete markers and unfinished uploads below the table."""
    open_store(uri, settings).purge_noncurrent("")


def leftover_files(settings: Settings, uri: str) -> int:
    """How many files or old object versions below the table are not part of its newest version."""
    store = open_store(uri, settings)
    used = used_files(open_table(settings, uri))
    present = {i.key for i in store.list_objects("") if not i.key.startswith("_delta_log/")}
    missing = used - present
    if missing:
        raise DataError(f"{len(missing)} data files of the table are missing; restore them first.")
    return len(
        {key for key in present if key.endswith(".parquet")} - used
    ) + store.count_noncurrent("")

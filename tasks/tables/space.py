"""Whether a deletion has room: it writes the files anew that hold the rows, beside the old ones."""

import shutil
from collections.abc import Collection
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pyarrow as pa
from deltalake import DeltaTable

from tasks.environment.settings import Settings
from tasks.foreign_errors import translated
from tasks.tables.delta import arrow_dataset, matching, open_table
from unlearning.errors import DataError

_MEGABYTE = 1_000_000


def refuse_full(settings: Settings, uri: str, column: str, subjects: Collection[str]) -> None:
    """Stop while nothing is deleted, if the disk has no room for what takes the old files' place.

    An object store has no such limit. Cost: the log; only if the whole table would not fit once
    more, also a pass over the subject column.

    Raises:
        DataError: the files with rows of these subjects are larger than what is free.
    """
    place = urlsplit(uri)
    if place.scheme != "file":
        return
    with translated("disk", uri):
        free = shutil.disk_usage(url2pathname(place.path)).free
    table = open_table(settings, uri)
    if _whole(table) <= free:
        return
    needed = _with_rows(table, column, subjects)
    if needed > free:
        raise DataError(
            f"{needed / _MEGABYTE:.1f} MB of files of {uri} must be written anew without the rows, "
            f"and {free / _MEGABYTE:.1f} MB are free on its disk; make room there, then run again."
        )


def _whole(table: DeltaTable) -> int:
    """Bytes of all files of the table."""
    with translated("table"):
        return sum(pa.table(table.get_add_actions())["size_bytes"].to_pylist())


def _with_rows(table: DeltaTable, column: str, subjects: Collection[str]) -> int:
    """Bytes of the files that have a row of the subjects."""
    where = matching(table, column, subjects)
    with translated("table"):
        return sum(
            one.filesystem.get_file_info(one.path).size
            for one in arrow_dataset(table).get_fragments()
            if one.count_rows(filter=where)
        )

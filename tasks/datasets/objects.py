"""Features that are addresses, as the bytes of the objects that they point to."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import pyarrow as pa

from tasks.environment.settings import Settings
from tasks.journal.events.enrollment import DatasetSpec, ObjectColumn
from tasks.tables.object_places import ObjectPlace, outside
from tasks.tables.subject_ids import is_text
from unlearning.errors import UnfitRowsError

_AT_ONCE = 16
_MOST_ROWS = 256
"""Rows whose objects are in memory at a time, where rows are handed on as they come."""


def with_objects(table: pa.Table, spec: DatasetSpec, settings: Settings) -> pa.Table:
    """The rows with bytes in the place of each feature that is an address.

    Cost: every object once, 16 at a time; memory for all of them.

    Raises:
        UnfitRowsError: an object is missing, or an address is not below the prefix of its column.
    """
    for one in spec.objects:
        is_read = one.column in spec.features and one.column in table.column_names
        if is_read and is_text(table[one.column].type):
            place = table.column_names.index(one.column)
            read = _read(table[one.column], one, spec.uri, settings)
            table = table.set_column(place, one.column, read)
    return table


def batches_with_objects(
    batch: pa.RecordBatch, spec: DatasetSpec, settings: Settings
) -> Iterator[pa.RecordBatch]:
    """The rows of a batch in the same way, a few at a time; raises as `with_objects`."""
    if not any(one.column in spec.features for one in spec.objects):
        yield batch
        return
    for start in range(0, batch.num_rows, _MOST_ROWS):
        part = pa.Table.from_batches([batch.slice(start, _MOST_ROWS)])
        yield from with_objects(part, spec, settings).combine_chunks().to_batches()


def _read(
    addresses: pa.ChunkedArray, one: ObjectColumn, uri: str, settings: Settings
) -> pa.ChunkedArray:
    place = _place(settings, one.prefix)
    texts = addresses.to_pylist()
    keys = [None if text is None else place.key(text) for text in texts]
    if strange := sum(k is None and t is not None for k, t in zip(keys, texts, strict=True)):
        raise UnfitRowsError(outside(uri, one, strange))
    wanted = list(dict.fromkeys(key for key in keys if key is not None))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found: dict[str | None, bytes | None] = dict(
            zip(wanted, pool.map(place.get, wanted), strict=True)
        )
    if gone := sum(key is not None and found[key] is None for key in keys):
        raise UnfitRowsError(
            f"{gone} rows of {uri} point to objects that are not there, in column {one.column!r}; "
            "restore the objects, or delete those rows."
        )
    return pa.chunked_array([pa.array([found.get(key) for key in keys], pa.large_binary())])


@lru_cache(8)
def _place(settings: Settings, prefix: str) -> ObjectPlace:
    return ObjectPlace(settings, prefix)

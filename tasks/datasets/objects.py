"""Features that are addresses, as the bytes of the objects that they point to."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from threading import Lock

import pyarrow as pa

from tasks.environment.settings import Settings
from tasks.journal.events.enrollment import DatasetSpec, ObjectColumn
from tasks.tables.object_places import ObjectPlace, outside
from tasks.tables.subject_ids import is_text
from unlearning.errors import UnfitRowsError

_AT_ONCE = 16
_MOST_ROWS = 256
"""Rows whose objects are in memory at a time, where rows are handed on as they come."""
_MOST_HELD = 1 << 32
"""Bytes of objects in memory at a time."""


class Allowance:
    """Bytes that may be in memory at a time."""

    def __init__(self, uri: str) -> None:
        self.uri, self._left, self._lock = uri, _MOST_HELD, Lock()

    def take(self, count: int) -> None:
        """Take some of them.

        Raises:
            UnfitRowsError: so many are not left.
        """
        with self._lock:
            self._left -= count
        if self._left < 0:
            raise UnfitRowsError(
                f"Objects that rows of {self.uri} point to have more than {_MOST_HELD >> 20} MiB "
                "where they are needed at once; put smaller ones in their place."
            )


def with_objects(
    table: pa.Table, spec: DatasetSpec, settings: Settings, allowance: Allowance | None = None
) -> pa.Table:
    """The rows with bytes in the place of each feature that is an address.

    Cost: every object once, 16 at a time; memory for all of them, twice.

    Raises:
        UnfitRowsError: an object is missing or too large, or all of them are, or an address is not
            below the prefix of its column.
    """
    allowance = allowance or Allowance(spec.uri)
    for one in spec.objects:
        is_read = one.column in spec.features and one.column in table.column_names
        if is_read and is_text(table[one.column].type):
            place = table.column_names.index(one.column)
            read = _read(table[one.column], one, settings, allowance)
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
    addresses: pa.ChunkedArray, one: ObjectColumn, settings: Settings, allowance: Allowance
) -> pa.ChunkedArray:
    place = _place(settings, one.prefix)
    texts = addresses.to_pylist()
    keys = [None if text is None else place.key(text) for text in texts]
    if strange := sum(k is None and t is not None for k, t in zip(keys, texts, strict=True)):
        raise UnfitRowsError(outside(allowance.uri, one, strange))
    wanted = list(dict.fromkeys(key for key in keys if key is not None))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        read = pool.map(lambda key: place.get(key, allowance.take), wanted)
        found: dict[str | None, bytes | None] = dict(zip(wanted, read, strict=True))
    if gone := sum(key is not None and found[key] is None for key in keys):
        raise UnfitRowsError(
            f"{gone} rows of {allowance.uri} point to objects that are not there, in column "
            f"{one.column!r}; restore the objects, or delete those rows."
        )
    # The first copy of each was taken as it came; each row that points to it has one of its own.
    sizes = [len(found.get(key) or b"") for key in keys]
    allowance.take(sum(sizes) - sum(len(data or b"") for data in found.values()))
    return pa.chunked_array([pa.array([found.get(key) for key in keys], pa.large_binary())])


@lru_cache(8)
def _place(settings: Settings, prefix: str) -> ObjectPlace:
    return ObjectPlace(settings, prefix)

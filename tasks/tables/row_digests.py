"""Rows told apart by keyed digests of what they hold, whichever file or order they lie in."""

import hashlib
import hmac
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable

from tasks.foreign_errors import translated
from tasks.tables.delta import arrow_dataset
from tasks.tables.subject_ids import id_texts
from unlearning.policy.digests import keys_of

_PURPOSE = b"\0rows"
_SIZE = 8


def row_digests(
    table: DeltaTable,
    subject: str,
    columns: Sequence[str],
    secret: bytes,
    where: ds.Expression | None = None,
) -> Iterator[tuple[list[str | None], np.ndarray]]:
    """(subject ids, uint64 digests) of a table's rows, batch by batch of rows.

    A digest is the first 64 bits of BLAKE2b over the values of these columns, keyed, so that nobody
    can try rows on it without the key. The same values give the same digest in every version of the
    table and in every copy of it. Of a secret of several keys, each later one makes it anew. Cost:
    one pass over the columns, some microseconds a row.
    """
    first, *later = keys_of(secret)
    key = _own(first)
    wanted = list(dict.fromkeys([*columns, subject]))
    with translated("table"):
        for batch in arrow_dataset(table).to_batches(columns=wanted, filter=where):
            cells = [_cells(batch.column(name)) for name in wanted]
            made = b"".join(_digest(key, row) for row in zip(*cells, strict=True))
            digests = np.frombuffer(made, dtype=np.uint64)
            for one in later:
                digests = rekeyed_rows(one, digests)
            yield id_texts(batch.column(subject)), digests


def rekeyed_rows(key: bytes, digests: np.ndarray) -> np.ndarray:
    """Digests under one key more, each made of the one before."""
    own = _own(key)
    made = (hashlib.blake2b(one.tobytes(), key=own, digest_size=_SIZE).digest() for one in digests)
    return np.frombuffer(b"".join(made), dtype=np.uint64)


def _own(key: bytes) -> bytes:
    """A key for rows alone."""
    return hmac.new(key, _PURPOSE, hashlib.sha256).digest()


def _digest(key: bytes, cells: Sequence[bytes]) -> bytes:
    parts = b"".join(len(cell).to_bytes(4, "little") + cell for cell in cells)
    return hashlib.blake2b(parts, key=key, digest_size=_SIZE).digest()


def _cells(array: pa.Array) -> list[bytes]:
    """The bytes of every value, the same however the column is stored."""
    if isinstance(array, pa.DictionaryArray):
        array = array.dictionary_decode()
    kind = array.type
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    if is_list or pa.types.is_fixed_size_list(kind):
        return _lists(array)
    return [repr(value).encode() for value in array.to_pylist()]


def _lists(array: pa.Array) -> list[bytes]:
    """Lists of numbers by their values' bytes, which is quick; others, and gaps, as text.

    Each list for itself: its digest must not depend on what lies beside it in a file.
    """
    kind = array.type.value_type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return [repr(value).encode() for value in array.to_pylist()]
    if not (array.null_count or array.flatten().null_count):
        return _whole_lists(array)
    texts = array.to_pylist()
    whole = [value is not None and None not in value for value in texts]
    found = iter(_whole_lists(array.filter(pa.array(whole))))
    return [
        next(found) if is_whole else repr(value).encode()
        for value, is_whole in zip(texts, whole, strict=True)
    ]


def _whole_lists(array: pa.Array) -> list[bytes]:
    held = array.flatten().to_numpy(zero_copy_only=False)
    data = held.astype(held.dtype.newbyteorder("<"), copy=False).tobytes()
    sizes = array.value_lengths().to_numpy(zero_copy_only=False).astype(np.int64) * held.itemsize
    ends = np.cumsum(sizes)
    return [data[start:end] for start, end in zip(ends - sizes, ends, strict=True)]

"""Prove that no erased id is left in a table's objects: as a value, in the log, as a word."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import DeltaTable

from tasks.environment.settings import Settings
from tasks.foreign_errors import translated
from tasks.store.opening import open_store
from tasks.tables import log_texts, transaction_log
from tasks.tables.delta import (
    arrow_dataset,
    arrow_schema,
    files_of,
    open_table,
    refuse_links,
    subject_array,
)
from tasks.tables.subject_ids import is_spelled
from tasks.tables.words import Words
from unlearning.errors import ConflictError, DataError, ExpungeError


@dataclass(frozen=True, slots=True)
class Search:
    """What was searched, and the objects in which an erased id was found."""

    objects: int
    size: int
    version: int
    ids: int
    words: int
    """How many of the ids were also looked for in raw bytes."""
    hits: list[str]
    """Keys of objects; never the ids."""


def search(
    settings: Settings,
    uri: str,
    column: str,
    subjects: Iterable[str],
    left_out: frozenset[str] = frozenset(),
    uncommitted: frozenset[str] = frozenset(),
) -> Search:
    """Look for the ids in every object of the table; nothing is skipped by statistics.

    The subject column is decoded, dictionaries with entries that no row uses included. Log entries
    are decoded too. Object names and the bytes of every object as they lie there are searched for
    the ids as whole words, where an id is one and has a chance of its own; compressed pages of
    other columns are not decoded.

    Objects whose keys are left out are not looked at. Data files that nobody committed yet are
    decoded like those of the table.

    Cost: every byte of the table is read once, the subject column twice; memory is a few chunks
    and the ids.

    Raises:
        ConflictError: a file that nobody committed yet holds an id, or is not readable yet.
    """
    wanted = set(subjects)
    store, table = open_store(uri, settings), open_table(settings, uri)
    words = Words(wanted if is_spelled(arrow_schema(table).field(column).type) else ())
    refuse_links(settings, uri)
    hits = set(_decoded(table, column, wanted))
    _refuse_uncommitted(settings, table, column, wanted, uncommitted)
    hits |= {
        key for key, entry in transaction_log.read(store) if words.within(log_texts.texts(entry))
    }
    count = size = 0
    for info in store.list_objects(""):
        if info.key in left_out:
            continue
        count, size = count + 1, size + info.size
        if words.within([unquote(info.key)]):
            hits.add("an object with an id for a name")
        elif words.found(store.chunks(info.key)):
            hits.add(info.key)
    return Search(count, size, table.version(), len(wanted), len(words), sorted(hits))


def check(found: Search, uri: str) -> None:
    """Refuse a table in which something was found.

    Raises:
        DataError: an erased id still stands in an object.
    """
    if found.hits:
        raise DataError(
            f"Ids of erased subjects still stand in {len(found.hits)} objects of {uri}, first in "
            f"{found.hits[0]}; remove what is not part of the table, or the rows that "
            "name them, then run again."
        )


def _decoded(table: Any, column: str, wanted: set[str]) -> Iterator[str]:
    """Files whose subject column holds one of the ids."""
    ids = subject_array(table, column, wanted)
    with translated("table"):
        data = arrow_dataset(table, dictionary=column if _has_dictionary(ids.type) else None)
        for file in data.get_fragments():
            batches = file.to_batches(schema=data.schema, columns=[column])
            if any(_holds(batch[column], ids) for batch in batches):
                yield file.path


def _refuse_uncommitted(
    settings: Settings, table: DeltaTable, column: str, wanted: set[str], files: frozenset[str]
) -> None:
    """Stop if a data file that somebody may be about to commit holds one of the ids."""
    uri = table.table_uri
    found = [key for key in sorted(files) if _may_hold(settings, table, column, wanted, key)]
    if found:
        raise ConflictError(
            f"{len(found)} data files in the folder of {uri}, which no commit names yet, hold rows "
            "of erased subjects or cannot be read; run again when their writer has committed, or "
            f"{settings.uncommitted_hours} hours after it came to nothing."
        )


def _may_hold(
    settings: Settings, table: DeltaTable, column: str, wanted: set[str], key: str
) -> bool:
    if key.endswith(".bin"):  # numbers of rows
        return False
    ids = subject_array(table, column, wanted)
    kind = arrow_schema(table).field(column)
    form = ds.ParquetFileFormat(
        read_options=ds.ParquetReadOptions(
            dictionary_columns=[column] if _has_dictionary(kind.type) else None
        )
    )
    try:
        with translated("table"):
            data = ds.dataset(
                [key],
                pa.schema([kind]),
                form,
                files_of(settings, table.table_uri),
                ds.partitioning(flavor="hive"),
            )
            return any(_holds(batch[column], ids) for batch in data.to_batches(columns=[column]))
    except ExpungeError:
        return True


def _has_dictionary(kind: pa.DataType) -> bool:
    """Whether Arrow can read the column's dictionary as it is stored."""
    return pa.types.is_string(kind) or pa.types.is_binary(kind)


def _holds(values: pa.Array, ids: pa.Array) -> bool:
    if pa.types.is_dictionary(values.type):
        values = values.dictionary
    ids = ids.cast(values.type)
    return bool(pc.call_function("is_in", [values], pc.SetLookupOptions(ids)).true_count)

"""A table's log: what it says of data subjects, and how that is taken out of it."""

import io
import json
import re
from collections.abc import Collection, Iterator
from typing import Any
from urllib.parse import unquote

import pyarrow.parquet as pq

from tasks.environment.settings import Settings
from tasks.foreign_errors import translated
from tasks.store.objects import ObjectInfo, ObjectStore
from tasks.store.opening import open_store
from tasks.tables.delta import open_table, used_files

PREFIX = "_delta_log/"
_VERSION_DIGITS = 20
_PARTS = re.compile(r"'(?:[^']|'')*'|`[^`]*`|\"[^\"]*\"|[=<>!]+|[(),]|[^\s'`\"=<>!(),\[\]]+")
"""The parts of a condition: values and names in their quotes, signs, and bare words."""
_COMPARISONS = {"=", "==", "<=>", "<>", "!=", "<", ">", "<=", ">=", "IN", "LIKE"}
_PARTITION_VALUE = ".partitionValues.key_value.value"


def names_people(settings: Settings, uri: str, column: str) -> bool:
    """Whether the log tells ids of rows that are gone.

    It does so by statistics on the subject column of files that the newest version does not use,
    and by conditions of earlier deletions. Whole or cut short, long or a single digit: no value
    is compared.
    """
    live = used_files(open_table(settings, uri))
    return any(_tells(entry, column, live) for _, entry in read(open_store(uri, settings)))


def named(settings: Settings, uri: str, column: str, ids: Collection[str]) -> set[str]:
    """Those of the ids that the log tells, be their rows long gone: somebody deleted them by name.

    They stand in conditions on the subject column, or whole in statistics on it; a shortened one
    may be anybody's. Checkpoints tell nothing of operations. Cost: every commit that the log still
    has.
    """
    wanted, found = set(ids), set[str]()
    for _, entry in _commits(open_store(uri, settings)) if wanted else ():
        found |= wanted & {*_compared(entry, column), *_at_the_ends(entry, column)}
    return found


def _compared(entry: dict[str, Any], column: str) -> Iterator[str]:
    """Every value that a condition of the operation compares with the column."""
    told = (entry.get("commitInfo") or {}).get("operationParameters") or {}
    for condition in (one for value in told.values() for one in _conditions(value)):
        parts = [one for one in _PARTS.findall(condition) if one.strip()]
        for place, part in enumerate(parts):
            if not _is_name_of(part, column):
                continue
            before, after = parts[:place], parts[place + 1 :]
            if len(before) > 1 and _is_comparison(before[-1]):
                yield _value(before[-2])
            while after and (_is_comparison(after[0]) or after[0].upper() == "NOT"):
                after = after[1:]
            if len(after) < len(parts) - place - 1:
                yield from _listed(after)


def _conditions(value: Any) -> list[str]:
    """The conditions in a parameter: itself, or those of a list that JSON has in a text."""
    try:
        read = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        read = value
    return [str(one) for one in read] if isinstance(read, list) else [str(value)]


def _listed(parts: list[str]) -> Iterator[str]:
    """The value that comes first, or all of the list that does."""
    if parts[:1] != ["("]:
        yield from map(_value, parts[:1])
        return
    for part in parts[1:]:
        if part == ")":
            return
        yield _value(part)


def _is_name_of(part: str, column: str) -> bool:
    """Whether it is the column's name, be it in quotes of names, of a table, or numbered."""
    bare = part.strip('`"').partition("#")[0]
    return column in (bare, bare.rpartition(".")[2])


def _is_comparison(part: str) -> bool:
    return part.upper() in _COMPARISONS


def _value(part: str) -> str:
    return part[1:-1].replace("''", "'") if part.startswith("'") else part


def _at_the_ends(entry: dict[str, Any], column: str) -> Iterator[str]:
    """The least and the greatest value that statistics tell of the column."""
    for kind in ("add", "remove"):
        statistics = json.loads((entry.get(kind) or {}).get("stats") or "{}")
        for end in ("minValues", "maxValues"):
            value = (statistics.get(end) or {}).get(column)
            if value is not None:
                yield str(value)


def _commits(store: ObjectStore) -> Iterator[tuple[str, Any]]:
    for info in store.list_objects(PREFIX):
        if info.key.endswith(".json") and info.size:
            lines = store.get(info.key).splitlines()
            yield from ((info.key, json.loads(line)) for line in lines)


def read(store: ObjectStore) -> Iterator[tuple[str, Any]]:
    """Key and content of every entry in the log, from commits and checkpoints alike."""
    for info in store.list_objects(PREFIX):
        if info.key.endswith(".parquet"):
            with translated("table"):
                file = pq.ParquetFile(io.BytesIO(store.get(info.key)))
                # Arrow cannot read the values of partitions if one has none; the paths tell them.
                read = [c.path for c in file.schema if not c.path.endswith(_PARTITION_VALUE)]
                for batch in file.iter_batches(4096, columns=read):
                    yield from ((info.key, entry) for entry in batch.to_pylist())
    yield from _commits(store)


def trim(settings: Settings, uri: str) -> None:
    """Replace the log by a checkpoint of a new, equal version; what came before it is removed.

    This is Delta's own clean-up of its log, without the days of grace: nothing is lost that the
    full vacuum has left, and a writer that was still at an older version gets an error.
    """
    with translated("table"):
        table = open_table(settings, uri)
        # An empty commit: the entry of the newest version stays, and may itself name somebody.
        columns = table.metadata().partition_columns
        table.create_write_transaction([], "append", table.schema(), partition_by=columns)
        table = open_table(settings, uri)
        table.create_checkpoint()
    store, newest = open_store(uri, settings), table.version()
    for info in list(store.list_objects(PREFIX)):
        if _version(info) < newest:
            store.delete(info.key)


def _version(info: ObjectInfo) -> float:
    """The version that a log file belongs to; one that belongs to none is as new as can be."""
    number = info.key.removeprefix(PREFIX)[:_VERSION_DIGITS]
    return int(number) if len(number) == _VERSION_DIGITS and number.isdigit() else float("inf")


def _tells(entry: dict[str, Any], column: str, live: set[str]) -> bool:
    file = entry.get("remove") or entry.get("add")
    if file and (entry.get("remove") or live.isdisjoint((file["path"], unquote(file["path"])))):
        return _has_statistics(file, column)
    told = (entry.get("commitInfo") or {}).get("operationParameters") or {}
    return column in str(told.get("predicate", ""))


def _has_statistics(file: dict[str, Any], column: str) -> bool:
    found = [json.loads(file.get("stats") or "{}"), file.get("stats_parsed") or {}]
    return any(
        column in (statistics.get(kind) or {})
        for statistics in found
        for kind in ("minValues", "maxValues")
    )

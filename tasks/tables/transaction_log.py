"""A table's log: what it says of data subjects, and how that is taken out of it."""

import io
import json
import re
from collections.abc import Collection, Iterator
from typing import Any
from urllib.parse import unquote

import pyarrow.parquet as pq
from deltalake import CommitProperties

from tasks.environment.settings import Settings
from tasks.foreign_errors import translated
from tasks.store.objects import ObjectStore
from tasks.store.opening import open_store
from tasks.tables import log_texts
from tasks.tables.delta import open_table, used_files
from tasks.tables.words import Words

PREFIX = "_delta_log/"
_VERSION_DIGITS = 20
_CHECKSUM = re.compile(rf"{PREFIX}\d{{{_VERSION_DIGITS}}}\.crc")
_PARTITION_VALUE = ".partitionValues.key_value.value"


def names_people(settings: Settings, uri: str, column: str, ids: Collection[str] = ()) -> bool:
    """Whether the log tells ids of rows that are gone.

    It does so by statistics on the subject column of files that the newest version does not use,
    and by what operations say of it, in any text of theirs. Whole or cut short, long or a single
    digit: no value is compared. If ids are given, also by one of them that stands in what a trimmed
    log would not have: whole in a text of an operation, or as a word in anything else.
    """
    table, store = open_table(settings, uri), open_store(uri, settings)
    live, wanted, words = used_files(table), frozenset(ids), Words(ids)
    stays = _trimmed_commit(store, table.version())
    for key, entry in read(store):
        if _tells(entry, column, live):
            return True
        is_passing = _number(key) < table.version() or (key.endswith(".json") and key != stays)
        if is_passing and (_says(entry, wanted) or words.within(log_texts.texts(entry))):
            return True
    return False


def named(settings: Settings, uri: str, column: str, ids: Collection[str]) -> set[str]:
    """Those of the ids that the log tells, be their rows long gone: somebody deleted them by name.

    They stand in conditions on the subject column, in whichever text of an operation, or whole in
    statistics on it; a shortened one may be anybody's. Or they stand in what somebody wrote beside
    the operation, if chance would not put them there. Checkpoints tell nothing of operations. Cost:
    every commit that the log still has.
    """
    wanted, found = frozenset(ids), set[str]()
    for _, entry in _commits(open_store(uri, settings)) if wanted else ():
        found |= wanted & {*_compared(entry, column), *_at_the_ends(entry, column)}
        found |= _noted(entry, wanted)
    return found


def _compared(entry: dict[str, Any], column: str) -> Iterator[str]:
    """Every value that a text of the operation compares with the column."""
    for text in log_texts.texts(log_texts.operation(entry)):
        yield from log_texts.compared(text, column)


def _noted(entry: dict[str, Any], wanted: frozenset[str]) -> set[str]:
    """Those of the ids that stand beside the operation's own parameters."""
    told = log_texts.operation(entry)
    told.pop("operationParameters", None)
    return {one for text in log_texts.texts(told) for one in log_texts.named_for_sure(text, wanted)}


def _says(entry: dict[str, Any], wanted: frozenset[str]) -> bool:
    told = log_texts.texts(log_texts.operation(entry)) if wanted else ()
    return any(log_texts.named(text, wanted) for text in told)


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


def _checksums(store: ObjectStore) -> Iterator[tuple[str, Any]]:
    """What some writers keep of a version to check it by, such as its files with statistics."""
    for info in store.list_objects(PREFIX):
        if _CHECKSUM.fullmatch(info.key):
            try:
                kept = json.loads(store.get(info.key))
            except ValueError:  # cut short; its bytes are searched as they are
                continue
            yield from [(info.key, kept)] if isinstance(kept, dict) else []


def read(store: ObjectStore) -> Iterator[tuple[str, Any]]:
    """Key and content of every entry in the log, from commits, checkpoints and checksums alike."""
    for info in store.list_objects(PREFIX):
        if info.key.endswith(".parquet"):
            with translated("table"):
                file = pq.ParquetFile(io.BytesIO(store.get(info.key)))
                # Arrow cannot read the values of partitions if one has none; the paths tell them.
                read = [c.path for c in file.schema if not c.path.endswith(_PARTITION_VALUE)]
                for batch in file.iter_batches(4096, columns=read):
                    yield from ((info.key, entry) for entry in batch.to_pylist())
    yield from _commits(store)
    yield from _checksums(store)


def trim(settings: Settings, uri: str) -> None:
    """Replace the log by a checkpoint of a new, equal version; what came before it is removed.

    This is Delta's own clean-up of its log, without the days of grace: nothing is lost that the
    full vacuum has left, and a writer that was still at an older version gets an error.
    """
    with translated("table"):
        table = open_table(settings, uri)
        # An empty commit: the entry of the newest version stays, and may itself name somebody.
        columns = table.metadata().partition_columns
        mark = CommitProperties(custom_metadata={log_texts.MARK: log_texts.TRIMMED})
        table.create_write_transaction(
            [], "append", table.schema(), partition_by=columns, commit_properties=mark
        )
        table = open_table(settings, uri)
        table.create_checkpoint()
    store, newest = open_store(uri, settings), table.version()
    for info in list(store.list_objects(PREFIX)):
        if _number(info.key) < newest:
            store.delete(info.key)


def _number(key: str) -> float:
    """The version that a log file belongs to; one that belongs to none is as new as can be."""
    number = key.removeprefix(PREFIX).removeprefix(".")[:_VERSION_DIGITS]
    return int(number) if len(number) == _VERSION_DIGITS and number.isdigit() else float("inf")


def _trimmed_commit(store: ObjectStore, newest: int) -> str:
    """Key of the newest commit, if the log was trimmed by it: doing so again would change nothing.

    Empty if it was not.
    """
    key = f"{PREFIX}{newest:0{_VERSION_DIGITS}}.json"
    entries = (entry for of, entry in _commits(store) if of == key)
    marks = [e["commitInfo"].get(log_texts.MARK) for e in entries if e.get("commitInfo")]
    return key if marks == [log_texts.TRIMMED] else ""


def _tells(entry: dict[str, Any], column: str, live: set[str]) -> bool:
    files = [entry.get("add"), *(entry.get("allFiles") or ())]
    gone = [one for one in files if one and live.isdisjoint((one["path"], unquote(one["path"])))]
    if any(_has_statistics(one, column) for one in (*gone, entry.get("remove")) if one):
        return True
    told = log_texts.operation(entry)
    is_ours = log_texts.MARK in told
    texts = log_texts.texts(told)
    return any(log_texts.mentions(text, column, is_ours=is_ours) for text in texts)


def _has_statistics(file: dict[str, Any], column: str) -> bool:
    found = [json.loads(file.get("stats") or "{}"), file.get("stats_parsed") or {}]
    return any(
        column in (statistics.get(kind) or {})
        for statistics in found
        for kind in ("minValues", "maxValues")
    )

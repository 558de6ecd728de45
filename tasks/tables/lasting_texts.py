"""What stays in a table's log even if a checkpoint takes its place, and names people."""

import time
from collections.abc import Collection, Iterator
from typing import Any
from urllib.parse import unquote

from deltalake import DeltaTable

from tasks.environment.settings import Settings
from tasks.foreign_errors import translated
from tasks.store.opening import open_store
from tasks.tables import log_texts, transaction_log
from tasks.tables.delta import arrow_dataset, arrow_schema, matching, open_table, used_files
from tasks.tables.subject_ids import is_spelled
from tasks.tables.words import Words
from unlearning.errors import DataError

_REMEMBERED = 7 * 24 * 3600 * 1000
"""Milliseconds for which checkpoints keep the paths of files that are gone."""
_STATISTICS = ("stats", "stats_parsed")


def refuse_lasting_ids(
    settings: Settings, uri: str, column: str, subjects: Collection[str], gone: Collection[str]
) -> None:
    """Stop while nothing is deleted, if ids of the subjects would stand in the log for good.

    They are looked for as words in the table's name, description, properties and columns, in the
    names of applications that write to it, in paths, and in statistics of files that stay. Those
    with rows of whoever is `gone` are written anew.

    Cost: the log; a pass over the subject column only if statistics hold an id.

    Raises:
        DataError: so it is.
    """
    table = open_table(settings, uri)
    words = Words(subjects if is_spelled(arrow_schema(table).field(column).type) else ())
    if not len(words):
        return
    entries = [entry for _, entry in transaction_log.read(open_store(uri, settings))]
    if words.within(log_texts.texts(_head(table))) or words.within(_writers(entries)):
        raise DataError(
            f"Ids of subjects to be erased stand in the name, the description, the properties or "
            f"the columns of {uri}, or in the name of an application that writes to it, where no "
            "erasure of rows takes them out; take them out there, then run again."
        )
    if words.within(_paths(entries, used_files(table))):
        raise DataError(
            f"Ids of subjects to be erased stand in paths of files of {uri}, by another column "
            "that it is partitioned by; write it anew with another partitioning, and run again a "
            "week later."
        )
    told = _with_ids_in_statistics(entries, words, used_files(table))
    if told and told - _rewritten(table, column, gone):
        raise DataError(
            f"Ids of subjects to be erased stand in the log of {uri}, in statistics of rows that "
            "are not theirs; change the rows that name them, then run again."
        )


def _head(table: DeltaTable) -> list[Any]:
    told = table.metadata()
    return [told.name, told.description, told.configuration, table.schema().to_json()]


def _writers(entries: list[dict[str, Any]]) -> Iterator[str]:
    """Names that applications give themselves, to know which of their writes came through."""
    for entry in entries:
        yield str((entry.get("txn") or {}).get("appId") or "")


def _paths(entries: list[dict[str, Any]], live: set[str]) -> Iterator[str]:
    """Of files that are there, and of those that are gone for so short that checkpoints say so."""
    since = time.time() * 1000 - _REMEMBERED
    for entry in entries:
        add, remove = entry.get("add"), entry.get("remove")
        if add and _is_in(add, live):
            yield from _of_file(add)
        if remove and (remove.get("deletionTimestamp") or since) >= since:
            yield from _of_file(remove)


def _of_file(file: dict[str, Any]) -> Iterator[str]:
    yield from (file["path"], unquote(file["path"]))
    yield from log_texts.texts({k: v for k, v in file.items() if k not in _STATISTICS})


def _with_ids_in_statistics(
    entries: list[dict[str, Any]], words: Words, live: set[str]
) -> set[str]:
    adds = [entry["add"] for entry in entries if entry.get("add")]
    return {
        _bare(add["path"])
        for add in adds
        if _is_in(add, live) and words.within(log_texts.texts([add.get(k) for k in _STATISTICS]))
    }


def _is_in(add: dict[str, Any], live: set[str]) -> bool:
    return not live.isdisjoint((add["path"], unquote(add["path"])))


def _rewritten(table: DeltaTable, column: str, gone: Collection[str]) -> set[str]:
    where = matching(table, column, gone)
    with translated("table"):
        fragments = arrow_dataset(table).get_fragments()
        return {_bare(one.path) for one in fragments if one.count_rows(filter=where)}


def _bare(path: str) -> str:
    """The path without its encoding, and without that of the values in it."""
    return unquote(unquote(path))

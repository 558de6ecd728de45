"""What lies in a table's folder, and whose it is: nothing that is not the table's own is touched.

A table's own are the files that its log names or ever named, and what writers of Delta are known to
leave behind. Everything else is foreign, and stops an enrolment or an erasure, unless an enrolment
says that it is to be left alone.
"""

import re
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import unquote

import pyarrow.parquet as pq

from tasks.environment.settings import Settings
from tasks.foreign_errors import translated
from tasks.store.objects import ObjectInfo, ObjectStore
from tasks.store.opening import open_store
from tasks.tables import transaction_log, writers
from tasks.tables.delta import files_of, open_table, used_files
from unlearning.errors import DataError, ExpungeError

PROBE = ".expunge-probe"
"""Object that is written and removed again to see whether that may be done."""

_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]+:/")
_ENDINGS = re.compile(
    r"(?:\.(?:arrow|avro|bak|bin|crc|csv|db|feather|gz|html|json|jsonl|log|npy|orc|parquet|pkl|pq|pt"
    r"|snappy|sqlite|tar|tsv|txt|xlsx?|xml|zip|zst))+$"
)


@dataclass(frozen=True, slots=True)
class Folder:
    """The objects below a table by whose they are."""

    old: frozenset[str]
    """The table's own that its newest version does not use: they are to go."""
    young: frozenset[str]
    """Data files that no log entry names, left to a writer that may be about to commit them."""
    foreign: tuple[str, ...]
    """Not the table's own."""
    tolerated: frozenset[str]
    """Not its own either, and left alone as an enrolment says."""
    prefixes: tuple[str, ...]
    """Where the tolerated ones lie."""
    orphans: tuple[str, ...] = ()
    """Those of the foreign that are named and laid out as the table's data files, with columns that
    it has not: they may be left of a time when it had them."""


def look(settings: Settings, uri: str, tolerated: Collection[str] = ()) -> Folder:
    """What lies in the folder; `tolerated` are prefixes under which anything may lie.

    Cost: a listing and the log; the footers of data files that no entry names, and a small write.

    Raises:
        DataError: data files are missing.
    """
    store = open_store(uri, settings)
    # Before the log is read: what is committed meanwhile is in use.
    listed = list(store.list_objects(""))
    owner = _Owner(settings, uri, store, listed)
    owner.refuse_missing()
    old, foreign, left, unnamed = set[str](), list[str](), set[str](), list[ObjectInfo]()
    orphans: list[str] = []
    for info in listed:
        kind = owner.kind(info)
        if kind == "old":
            old.add(info.key)
        elif kind == "unnamed":
            unnamed.append(info)
        elif kind in ("foreign", "orphan"):
            (left.add if _lies(info.key, tolerated) else foreign.append)(info.key)
            orphans += [info.key] if kind == "orphan" else []
    prefixes = tuple(sorted(p for p in set(tolerated) if any(_lies(key, [p]) for key in left)))
    young = _young(settings, store, unnamed)
    old |= {info.key for info in unnamed} - young
    untold = tuple(key for key in orphans if key not in left)
    return Folder(frozenset(old), young, tuple(foreign), frozenset(left), prefixes, untold)


def refuse_foreign(found: Folder, uri: str) -> None:
    """Stop if anything in the folder is not the table's own.

    Raises:
        DataError: it says where and how many, by no name that may be a person's.
    """
    if not found.foreign:
        return
    nested = [key for key in found.foreign if "/_delta_log/" in key]
    what = ", another Delta table among them," if nested else ""
    examples = ", ".join(sorted({shown(key) for key in nested or found.foreign})[:3])
    which = _orphaned(found.orphans) if found.orphans else ""
    raise DataError(
        f"{len(found.foreign)} objects in the folder of {uri} are not the table's own{what} such "
        f"as {examples}{which}; move them elsewhere, or enrol the model again with --tolerate and "
        "their folder, which is then left alone and not searched."
    )


def _orphaned(keys: tuple[str, ...]) -> str:
    begin = writers.BEGINNING.match(keys[0].rpartition("/")[2])
    return (
        f"; {len(keys)} of them, {begin[0] if begin else '*'} among them, are named like its data "
        "files and have columns that it has not, such as one that was dropped since, so look "
        "whether they are left of it and delete those by hand"
    )


def shown(key: str) -> str:
    """A name without what may be a person's: its folder without digits, and its ending if known.

    >>> shown("_archive/2024/anna@example.org.csv.gz")
    '_archive/*.csv.gz'
    """
    folder, is_below, _ = key.partition("/")
    ending = _ENDINGS.search(key)
    last = f"*{ending[0]}" if ending else "*"
    if not is_below:
        return last
    plain = re.fullmatch(r"[-.\w]{1,60}", folder, re.ASCII)
    return f"{re.sub('[0-9]+', '#', folder) if plain else '*'}/{last}"


def _young(settings: Settings, store: ObjectStore, unnamed: list[ObjectInfo]) -> frozenset[str]:
    """Those that somebody may be about to commit, by the clock of where they lie."""
    patience = settings.uncommitted_hours * 3600
    if not (unnamed and patience):
        return frozenset()
    now = time.time()  # the clock of this machine's own disks, too
    if not store.uri.startswith("file:"):
        store.put(PROBE, b"")
        now = max((one.changed_at for one in store.list_objects(PROBE)), default=0.0)
        store.delete(PROBE)
    return frozenset(one.key for one in unnamed if now - one.changed_at < patience)


def _lies(key: str, prefixes: Iterable[str]) -> bool:
    """Whether an object lies in one of the folders, or is what is named like one."""
    return any(key.startswith(prefix) or f"{key}/" == prefix for prefix in prefixes)


class _Owner:
    """Tells whose an object below a table is."""

    def __init__(
        self, settings: Settings, uri: str, store: ObjectStore, listed: list[ObjectInfo]
    ) -> None:
        self._settings, self._uri, self._store = settings, uri, store
        self._keys = {info.key for info in listed}
        self._table = open_table(settings, uri)
        self._used = used_files(self._table)
        self._partitions: list[str] = self._table.metadata().partition_columns
        nested = {key.rpartition("/_delta_log/")[0] for key in self._keys if "/_delta_log/" in key}
        self._nested = tuple(f"{folder}/" for folder in nested)

    def refuse_missing(self) -> None:
        if any(_ELSEWHERE.match(path) for path in self._used):
            raise DataError(
                f"{self._uri} is a shallow clone: its log names files of another table by their "
                "whole address; make a copy that has its own files."
            )
        missing = self._used - self._keys
        if missing:  # perhaps written since the folder was listed
            missing -= {info.key for info in self._store.list_objects("")}
        if missing:
            raise DataError(
                f"{len(missing)} data files of the table {self._uri} are missing; restore them "
                "first."
            )

    def kind(self, info: ObjectInfo) -> str:
        """`used`, `old`, `unnamed` or `kept` if it is its own, `orphan` if it may be, `foreign`."""
        key = info.key
        if key in self._used or info.is_folder:
            return "used"
        if info.is_link or (self._nested and key.startswith(self._nested)):
            return "foreign"
        if key.startswith(transaction_log.PREFIX):
            return writers.kind_in_log(key.removeprefix(transaction_log.PREFIX))
        folder, _, name = key.rpartition("/")
        if writers.NOTES.fullmatch(name) and self._is_own_folder(folder):
            return "kept"
        checked = re.fullmatch(r"\.(.+)\.crc", name)
        if checked:
            return self._kind_of_checksum(folder, checked[1])
        return self._kind_of_data(folder, name, key)

    def _kind_of_data(self, folder: str, name: str, key: str) -> str:
        if key == PROBE or key in self._named or key.startswith("_delta_index/"):
            return "old"
        if not self._is_of_a_writer(folder, name):
            return "foreign"
        if writers.DATA.fullmatch(name) and self._is_own_folder(folder):
            kind = self._kind_by_columns(key)
            if kind != "unnamed":
                return kind
        return "old" if "#" in name else "unnamed"  # nobody commits a name with such a mark

    def _kind_of_checksum(self, folder: str, name: str) -> str:
        key = f"{folder}/{name}" if folder else name
        if key in self._used or (writers.NOTES.fullmatch(name) and self._is_own_folder(folder)):
            return "kept"
        named = key in self._named or writers.DATA.fullmatch(name)
        return "old" if named and self._is_own_folder(folder) else "foreign"

    def _is_of_a_writer(self, folder: str, name: str) -> bool:
        if folder == "_change_data" or folder.startswith("_change_data/"):
            rest = folder.removeprefix("_change_data").removeprefix("/")
            return bool(writers.CHANGES.fullmatch(name)) and self._is_own_folder(rest)
        named = writers.VECTORS.fullmatch(name) or writers.DATA.fullmatch(name)
        return bool(named) and self._is_own_folder(folder)

    def _is_own_folder(self, folder: str) -> bool:
        """Whether the table keeps data there: at its top, or in the folders of its partitions."""
        parts = [unquote(part.partition("=")[0]) for part in folder.split("/") if "=" in part]
        return parts == self._partitions and folder.count("/") + bool(folder) == len(parts)

    def _kind_by_columns(self, key: str) -> str:
        """Whether a data file that no log names may be of an aborted write to this table.

        One that was cut short cannot be read, and bears a name that only a writer gives. With some
        columns of the table and some that it has not, it may be of a time when it had them: nobody
        can tell once the log was trimmed.
        """
        try:
            with translated("table"):
                names = pq.read_schema(key, filesystem=files_of(self._settings, self._uri)).names
        except ExpungeError:
            return "unnamed"
        own = {field.name for field in self._table.schema().fields}
        if own.issuperset(names):
            return "unnamed"
        return "foreign" if own.isdisjoint(names) else "orphan"

    @cached_property
    def _named(self) -> frozenset[str]:
        return frozenset(_paths(entry for _, entry in transaction_log.read(self._store)))


def _paths(entries: Iterable[Any]) -> Iterator[str]:
    """Every file that entries of a log name, as it is written there and as it is meant."""
    for entry in entries:
        for action in ("add", "remove", "cdc"):
            if path := (entry.get(action) or {}).get("path"):
                yield from (path, unquote(path))

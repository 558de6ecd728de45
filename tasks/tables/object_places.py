"""Where the objects lie that a column of addresses points to, and which address is whose key.

An address may hold the id of a person: no message of ours repeats it, and none of another's that
does is let through.
"""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from os.path import realpath
from urllib.parse import unquote, urlsplit

import pyarrow.dataset as ds
from deltalake import DeltaTable

from tasks.environment.settings import Settings
from tasks.foreign_errors import translated
from tasks.journal.events.enrollment import ObjectColumn
from tasks.store.address import canonical
from tasks.store.kept_versions import is_linked
from tasks.store.objects import MAX_KEY, MissingObjectError, ObjectStore
from tasks.store.opening import open_store
from tasks.tables.delta import arrow_dataset, arrow_schema
from unlearning.errors import DataError, ExpungeError, UnfitRowsError

_FILE = re.compile(r"file:(?://(?:localhost)?)?/(.+)", re.DOTALL)
LOG, MODEL = "_delta_log", "MLmodel"
"""Names in keys that tell of a table or of a model: no object of anybody's row has one."""
_NO_ADDRESS = ""
_PERHAPS, _PERHAPS_MORE = re.compile(r"[%?#\s]"), re.compile(r"[?#]")
_BUCKET = re.compile(r"s3[an]?://([^/]+)/(.+)", re.DOTALL)
MOST_BYTES = 1 << 28
"""Most bytes of an object that is read as a feature."""


class ObjectPlace:
    """A prefix below which the objects of a column lie."""

    def __init__(self, settings: Settings, prefix: str) -> None:
        self.prefix = canonical(prefix)
        self.store: ObjectStore = open_store(self.prefix, settings)
        parts = urlsplit(self.prefix)
        self._bucket = parts.netloc
        top = unquote(parts.path).strip("/")
        self._top = f"{top}/" if top else ""
        self._real = self._top if self._bucket else f"{realpath(f'/{top}')[1:]}/"

    def key(self, address: str) -> str | None:
        """The key of an object below the prefix by a URI, a path or that key; None if elsewhere.

        A URI of a bucket is taken as it stands, one of a file is decoded.
        """
        whole = self._whole(address)
        if whole is None or not whole.startswith(self._top) or len(whole.encode()) > MAX_KEY:
            return None
        key = whole.removeprefix(self._top)
        parts = key.split("/")
        is_odd = {"", ".", "..", LOG} & {*parts} or parts[-1] == MODEL or "\0" in key
        return None if is_odd else key

    def address(self, key: str) -> str:
        """The one address of an object, below whichever prefix it was found.

        That of a directory is where it lies, whatever links its prefix leads through by now.
        """
        return f"{self._bucket}/{self._real}{key}"

    def is_linked(self, key: str) -> bool:
        """Whether a link leads to the file, so that it may lie anywhere."""
        return is_linked(self.store, key)

    def get(self, key: str, taken: Callable[[int], None]) -> bytes | None:
        """The object's bytes; None if there is none, or a link, a folder or a pipe in its place.

        Whoever writes a row chooses what is read. Each piece's size is told to `taken`, which may
        refuse more.

        Raises:
            UnfitRowsError: it has more than `MOST_BYTES`.
        """
        try:
            with unnamed():
                return None if self.is_linked(key) else self._bytes(key, taken)
        except MissingObjectError:
            return None

    def _bytes(self, key: str, taken: Callable[[int], None]) -> bytes:
        read = bytearray()
        for piece in self.store.chunks(key):
            taken(len(piece))
            read += piece
            if len(read) > MOST_BYTES:
                raise UnfitRowsError(
                    f"An object below {self.prefix} has more than {MOST_BYTES >> 20} MiB; put a "
                    "smaller one in its place, or delete its row."
                )
        return bytes(read)

    def _whole(self, address: str) -> str | None:
        if self._bucket:
            found = _BUCKET.fullmatch(address)
            if found:
                return found[2] if found[1] == self._bucket else None
        elif found := _FILE.fullmatch(address):
            try:
                return unquote(found[1], errors="strict")
            except UnicodeDecodeError:  # bytes that are no text: nothing could be named by them
                return None
        elif address.startswith("/"):
            return address[1:]
        is_relative = "://" not in address and not address.startswith(("/", "file:"))
        return f"{self._top}{address}" if is_relative else None


@dataclass(slots=True)
class Pointed:
    """Where the rows of a table point to by one of its columns."""

    keys: set[str] = field(default_factory=set)
    outside: int = 0
    """Rows with an address that is not below the prefix."""


def pointed(
    table: DeltaTable, one: ObjectColumn, place: ObjectPlace, where: ds.Expression | None = None
) -> Pointed:
    """Keys of the objects that rows point to; a row without an address points nowhere.

    Cost: a pass over the column; memory for the keys.

    Raises:
        DataError: the table has no such column any more.
    """
    found = Pointed()
    for address in _addresses(table, one.column, where):
        key = place.key(address)
        found.outside += key is None
        if key is not None:
            found.keys.add(key)
    return found


@dataclass(slots=True)
class Addresses:
    """What rows of a table may point to by a column."""

    addresses: set[str] = field(default_factory=set)
    outside: int = 0
    """Rows with an address that is below none of the prefixes."""


def addresses_in(
    table: DeltaTable,
    column: str,
    places: Sequence[ObjectPlace],
    wanted: Collection[str],
    where: ds.Expression | None = None,
) -> Addresses:
    """Which of the wanted objects rows may point to: whatever an address may mean counts.

    A key is one below each of the prefixes that were declared; `%20` may be a blank, too, and what
    follows a `?` or a `#` no part of it.

    Cost: a pass over the column.

    Raises:
        DataError: the table has no such column any more.
    """
    found = Addresses()
    for address in _addresses(table, column, where):
        keys = [(place, place.key(address)) for place in places]
        of_keys = {place.address(key) for place, key in keys if key is not None}
        found.outside += not of_keys
        found.addresses.update(one for one in _meanings(of_keys) if one in wanted)
    return found


def _meanings(addresses: Collection[str]) -> Iterator[str]:
    for one in addresses:
        yield one
        if _PERHAPS.search(one):
            cut = _PERHAPS_MORE.split(one, maxsplit=1)[0]
            yield from (text for some in (one, cut) for text in (some.strip(), unquote(some)))


def _addresses(table: DeltaTable, column: str, where: ds.Expression | None = None) -> Iterator[str]:
    if column not in arrow_schema(table).names:
        raise DataError(
            f"{table.table_uri} has no column {column!r} any more, which held addresses of "
            "objects; restore it, or enrol its models again without --objects."
        )
    with translated("table"):
        for batch in arrow_dataset(table).to_batches(columns=[column], filter=where):
            for address in batch.column(0).drop_null().to_pylist():
                yield address if isinstance(address, str) else _NO_ADDRESS


def refuse_outside(uri: str, one: ObjectColumn, count: int) -> None:
    """Stop where rows point to what was not declared as theirs.

    Raises:
        DataError: some do.
    """
    if count:
        raise DataError(outside(uri, one, count))


def outside(uri: str, one: ObjectColumn, count: int) -> str:
    """What to say of rows that point to what was not declared as theirs."""
    return (
        f"{count} rows of {uri} have an address in column {one.column!r} that is not below "
        f"{one.prefix}; mend them, or name another prefix with --objects."
    )


@contextmanager
def unnamed() -> Iterator[None]:
    """Let errors out as ours, without their causes, which may quote keys and paths."""
    try:
        yield
    except MissingObjectError:
        raise MissingObjectError("An object is missing; restore it.") from None
    except ExpungeError as error:
        raise type(error)(*error.args, line=error.line) from None
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, its words may be an address
        raise DataError(
            f"An object cannot be looked at or removed ({type(error).__name__}); look at the disk "
            "or bucket it lies on."
        ) from None

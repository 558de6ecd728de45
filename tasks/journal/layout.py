"""Where the journal's events lie in the store.

A batch or a model has a folder of its own, journal/<kind>/<name>/, with an object for each event.
Requests come by the hundred thousand: a thousand neighbours, rows of one file, share a *sheet*,
journal/sheets/<sheet>/, each object of which holds events of many of them.

journal/finished/<kind>/<group>/<count> says that nothing was left to do after the first `count`
objects of a sheet or folder. It is no truth, only a way not to read them again.
"""

from dataclasses import dataclass

from tasks.journal.events.event import Kind
from tasks.store.objects import ObjectStore
from unlearning.errors import DataError

ROOT = "journal/"
_SHEETS = f"{ROOT}sheets/"
_FINISHED = f"{ROOT}finished/"
_SHARING: Kind = "requests"
_DIGITS = 3
"""Records whose ids differ in these last digits alone share a sheet."""


@dataclass(frozen=True, slots=True)
class Group:
    """Streams that lie together, with the keys of their objects, oldest first."""

    name: str
    folder: str
    keys: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many objects there are; they only ever become more."""
        return len(self.keys)

    def refuse_gaps(self) -> None:
        """Raise DataError if an object is missing: what follows it cannot be understood."""
        there = set(self.keys)
        lost = (f"{self.folder}{n:06d}.json" for n in range(1, self.count + 1))
        missing = next((key for key in lost if key not in there), None)
        if missing is not None:
            raise DataError(f"The journal's {missing} is missing; restore it, then run again.")

    @property
    def next_key(self) -> str:
        """Where the next object goes: who creates it first has appended."""
        return f"{self.folder}{self.count + 1:06d}.json"


def is_shared(kind: Kind) -> bool:
    """Whether streams of this kind share sheets."""
    return kind == _SHARING


def group_of(kind: Kind, name: str) -> str:
    """The group that a stream belongs to."""
    return name[:-_DIGITS] or name if is_shared(kind) else name


def find_group(store: ObjectStore, kind: Kind, name: str) -> Group:
    """The group of this name."""
    folder = f"{_SHEETS if is_shared(kind) else f'{ROOT}{kind}/'}{name}/"
    return Group(name, folder, tuple(_keys(store, folder)))


def all_groups(store: ObjectStore, kind: Kind) -> list[Group]:
    """Every group of a kind, in name order."""
    root = _SHEETS if is_shared(kind) else f"{ROOT}{kind}/"
    found: dict[str, list[str]] = {}
    for key in _keys(store, root):
        found.setdefault(key.split("/")[2], []).append(key)
    return [Group(name, f"{root}{name}/", tuple(found[name])) for name in sorted(found)]


def finished(store: ObjectStore, kind: Kind) -> set[tuple[str, int]]:
    """Name and count of objects of every group in which nothing was left to do."""
    keys = (key.split("/") for key in _keys(store, f"{_FINISHED}{kind}/"))
    return {(parts[3], int(parts[4])) for parts in keys}


def note_finished(store: ObjectStore, kind: Kind, group: Group) -> None:
    """Note that nothing is left to do in the group as it is."""
    store.put_if_absent(f"{_FINISHED}{kind}/{group.name}/{group.count:06d}", b"")


def _keys(store: ObjectStore, prefix: str) -> list[str]:
    return [info.key for info in store.list_objects(prefix)]

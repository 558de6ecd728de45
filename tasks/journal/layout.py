"""Where the journal's events lie in the store.

A batch or a model has a folder of its own, journal/<kind>/<name>/, with an object for each event.
Requests come by the hundred thousand: a thousand neighbours, rows of one file, share a *sheet*,
journal/sheets/<sheet>/, each object of which holds events of many of them. Requests of releases
before the sheets have folders of their own, and sheets continue them.

journal/settled/<kind>/<group>/<count> says that nothing was left to do after the first `count`
objects of a sheet or folder. It is no truth, only a way not to read them again.
"""

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from tasks.store.objects import ObjectStore
from tasks.store.read_once import ReadOnce

_ROOT = "journal"
_SHEETS = f"{_ROOT}/sheets"
_SETTLED = f"{_ROOT}/settled"
_SHARING = "requests"
_DIGITS = 3
"""Records whose ids differ in these last digits alone share a sheet."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; `name` is in the past tense, `status` is the stream's after it."""

    number: int
    id: str
    name: str
    at: str
    status: str
    facts: dict[str, Any]


@dataclass(slots=True)
class Group:
    """Streams that lie together, with the keys of their objects, oldest first."""

    name: str
    own: list[str] = field(default_factory=list)
    """Objects of one event, in the folder of its stream."""
    shared: list[str] = field(default_factory=list)
    """Objects of many events, in the sheet."""

    @property
    def count(self) -> int:
        """How many objects there are; they only ever become more."""
        return len(self.own) + len(self.shared)


def is_shared(kind: str) -> bool:
    """Whether streams of this kind share sheets."""
    return kind == _SHARING


def group_of(kind: str, name: str) -> str:
    """The group that a stream belongs to."""
    return name[:-_DIGITS] or name if is_shared(kind) else name


def find_group(store: ObjectStore, kind: str, name: str) -> Group:
    """The group of this name."""
    if not is_shared(kind):
        return Group(name, _keys(store, f"{_ROOT}/{kind}/{name}/"))
    own = [k for k in _keys(store, f"{_ROOT}/{kind}/{name}") if group_of(kind, _part(k)) == name]
    return Group(name, own, _keys(store, f"{_SHEETS}/{name}/"))


def find_stream(store: ObjectStore, kind: str, name: str) -> Group:
    """The group of one stream, without the folders of its neighbours."""
    group = group_of(kind, name)
    own = _keys(store, f"{_ROOT}/{kind}/{name}/")
    return Group(group, own, _keys(store, f"{_SHEETS}/{group}/") if is_shared(kind) else [])


def all_groups(store: ObjectStore, kind: str) -> list[Group]:
    """Every group of a kind, in name order."""
    found: dict[str, Group] = {}
    for key in _keys(store, f"{_ROOT}/{kind}/"):
        name = group_of(kind, _part(key))
        found.setdefault(name, Group(name)).own.append(key)
    for key in _keys(store, f"{_SHEETS}/") if is_shared(kind) else ():
        found.setdefault(_part(key), Group(_part(key))).shared.append(key)
    return [found[name] for name in sorted(found)]


def events_of(
    frozen: ReadOnce, group: Group, names: Collection[str]
) -> Iterator[tuple[str, Event]]:
    """Every event of these streams of the group with the stream's name, oldest first."""
    for key in group.own:
        if _part(key) in names:
            yield _part(key), frozen.parsed(key, _own_event)
    for key in group.shared:
        yield from (found for found in frozen.parsed(key, _sheet) if found[0] in names)


def latest_of(frozen: ReadOnce, group: Group) -> dict[str, Event]:
    """The latest event of every stream of the group, in name order."""
    last = {_part(key): key for key in group.own}
    found = {name: frozen.parsed(key, _own_event) for name, key in last.items()}
    for key in group.shared:
        found.update(frozen.parsed(key, _sheet))
    return dict(sorted(found.items()))


def write_own(frozen: ReadOnce, stream: str, event: Event) -> bool:
    """Create a stream's next object; False if somebody else did."""
    data = json.dumps(asdict(event), indent=1, sort_keys=True, allow_nan=False).encode()
    return _create(frozen, f"{_ROOT}/{stream}/{event.number:06d}.json", data, _own_event)


def write_shared(frozen: ReadOnce, group: Group, events: list[tuple[str, Event]]) -> bool:
    """Create a sheet's next object; False if somebody else did."""
    number = int(group.shared[-1][-len("000000.json") : -len(".json")]) + 1 if group.shared else 1
    body = [{"of": name, **asdict(event)} for name, event in events]
    data = json.dumps(body, separators=(",", ":"), allow_nan=False).encode()
    return _create(frozen, f"{_SHEETS}/{group.name}/{number:06d}.json", data, _sheet)


def settled(store: ObjectStore, kind: str) -> set[tuple[str, int]]:
    """Name and count of objects of every group that was found to be settled."""
    keys = (key.split("/") for key in _keys(store, f"{_SETTLED}/{kind}/"))
    return {(parts[3], int(parts[4])) for parts in keys}


def settle(store: ObjectStore, kind: str, group: Group) -> None:
    """Note that nothing is left to do in the group as it is."""
    store.put_if_absent(f"{_SETTLED}/{kind}/{group.name}/{group.count:06d}", b"")


def _create(frozen: ReadOnce, key: str, data: bytes, parse: Callable[[bytes], object]) -> bool:
    is_ours = frozen.store.put_if_absent(key, data)
    if is_ours:
        frozen.add(key, data, parse)
    return is_ours


def _own_event(data: bytes) -> Event:
    return Event(**json.loads(data))


def _sheet(data: bytes) -> tuple[tuple[str, Event], ...]:
    return tuple((item.pop("of"), Event(**item)) for item in json.loads(data))


def _keys(store: ObjectStore, prefix: str) -> list[str]:
    return [info.key for info in store.list_objects(prefix)]


def _part(key: str) -> str:
    """The name of the stream or sheet that a key lies in."""
    return key.split("/")[2]

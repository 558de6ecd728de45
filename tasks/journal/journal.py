"""Streams of events in the object store: the truth about requests, batches and models.

Events are written as create-only objects with running numbers (`tasks/journal/layout.py`).
Creating the next number is the compare-and-set: of two writers one wins, and the other looks
again, to be refused if the status moved.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Generic, TypeVar, cast

from tasks.journal import layout
from tasks.journal.events.catalog import Fact, from_json, to_json
from tasks.journal.events.event import Event, Kind, Stream
from tasks.journal.events.requests import RequestFact
from tasks.journal.events.transitions import FINAL, next_status
from tasks.journal.layout import Group
from tasks.journal.packs import read_packed
from tasks.store.format import check_format, write_format
from tasks.store.objects import ObjectStore
from tasks.store.pseudonym_keys import refuse_other_key
from tasks.store.read_once import ReadOnce
from unlearning.errors import ConflictError

F = TypeVar("F", bound=Fact)
Told = tuple[str, Event[Any]]
"""Name of a stream and an event of it."""

_WRITERS = 16
_TRIES = 100


@dataclass(frozen=True, slots=True)
class Entry(Generic[F]):
    """An event to be appended; the same id is never appended twice to one stream."""

    stream: Stream[F]
    id: str
    facts: F


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


class Journal:
    """Every stream of a store; each object of it is read once."""

    def __init__(
        self, store: ObjectStore, frozen: ReadOnce, secret: Callable[[], bytes] | None = None
    ) -> None:
        self._store, self._frozen, self._secret = store, frozen, secret
        self._is_ours: bool | None = None

    @property
    def store(self) -> ObjectStore:
        """The store, once it was found to have the form that this release reads, and our key.

        Raises:
            SettingsError: it has another one, or a rotation of its key is under way.
        """
        if self._is_ours is None:
            if self._secret is not None:
                refuse_other_key(self._store, self._secret)
            self._is_ours = check_format(self._store)
        return self._store

    def read(self, stream: Stream[F]) -> list[Event[F]]:
        """All events of a stream, oldest first; an unknown stream has none."""
        group = self._group_of(stream)
        return [event for name, event in self._events(group, stream.kind) if name == stream.name]

    def find(self, stream: Stream[F], event_id: str) -> Event[F] | None:
        """The event of this id, if it happened."""
        return next((e for e in self.read(stream) if e.id == event_id), None)

    def append(self, stream: Stream[F], event_id: str, facts: F) -> Event[F]:
        """Append an event once; a second call with the same id returns the first one's event.

        Raises:
            ConflictError: another writer moved the status, or it does not allow the event.
        """
        return self._append_group([Entry(stream, event_id, facts)])[0]

    def append_all(self, entries: Iterable[Entry[RequestFact]]) -> None:
        """Append events to many requests, each event once; those of one sheet in one object.

        Raises:
            ConflictError: as in `append`; what lies in other sheets may be appended all the same.
        """
        groups: dict[str, list[Entry[RequestFact]]] = {}
        for entry in entries:
            group = layout.group_of(entry.stream.kind, entry.stream.name)
            groups.setdefault(group, []).append(entry)
        with ThreadPoolExecutor(_WRITERS) as pool:
            for _ in pool.map(self._append_group, groups.values()):
                pass

    def requests(self) -> Iterator[tuple[str, Event[RequestFact]]]:
        """Record id and latest event of every request, in order."""
        yield from self._heads("requests", layout.all_groups(self.store, "requests"))

    def open_requests(self) -> Iterator[tuple[str, Event[RequestFact]]]:
        """Record id and latest event of every request that something may follow, in order."""
        yield from self._open_heads("requests")

    def latest(self, records: Iterable[str]) -> dict[str, Event[RequestFact]]:
        """The latest event of each of these requests; unknown ones are left out."""
        wanted = set(records)
        names = sorted({layout.group_of("requests", name) for name in wanted})
        groups = (layout.find_group(self.store, "requests", name) for name in names)
        return {name: e for name, e in self._heads("requests", groups) if name in wanted}

    def batches(self) -> Iterator[Told]:
        """Name and latest event of every batch, in order; each is one read."""
        yield from self._heads("batches", layout.all_groups(self.store, "batches"))

    def open_batches(self) -> Iterator[Told]:
        """Name and latest event of every batch that is not closed, in order."""
        yield from self._open_heads("batches")

    def models(self) -> list[str]:
        """Stream names of all models, in order."""
        return [group.name for group in layout.all_groups(self.store, "models")]

    def _heads(self, kind: Kind, groups: Iterable[Group]) -> Iterator[Told]:
        for _, found in self._latest(kind, groups):
            yield from found.items()

    def _open_heads(self, kind: Kind) -> Iterator[Told]:
        """What is over is not read again: a group without open streams is noted as settled."""
        known = layout.finished(self.store, kind)
        groups = layout.all_groups(self.store, kind)
        open_groups = (g for g in groups if (g.name, g.count) not in known)
        for group, found in self._latest(kind, open_groups):
            waiting = {n: e for n, e in found.items() if e.status not in FINAL[kind]}
            if not waiting:
                layout.note_finished(self.store, kind, group)
            yield from waiting.items()

    def _latest(
        self, kind: Kind, groups: Iterable[Group]
    ) -> Iterator[tuple[Group, dict[str, Event[Any]]]]:
        """The latest events of groups; only so many are read ahead as fit in memory."""

        def latest(group: Group) -> dict[str, Event[Any]]:
            keys = group.keys if layout.is_shared(kind) else group.keys[-1:]
            found = dict(told for key in keys for told in self._parsed(key, kind))
            return dict(sorted(found.items()))

        rest = iter(groups)
        with ThreadPoolExecutor(_WRITERS) as pool:
            while some := list(islice(rest, 2 * _WRITERS)):
                yield from zip(some, pool.map(latest, some), strict=True)

    def _events(self, group: Group, kind: Kind) -> list[Told]:
        if kind == "models":  # grows with every batch for ever
            objects = read_packed(self.store, self._frozen, group.folder, group.keys, _parser(kind))
        else:
            objects = [self._parsed(key, kind) for key in group.keys]
        return [told for some in objects for told in some]

    def _parsed(self, key: str, kind: Kind) -> tuple[Told, ...]:
        return self._frozen.parsed(key, _parser(kind))

    def _group_of(self, stream: Stream[Any]) -> Group:
        name = layout.group_of(stream.kind, stream.name)
        return layout.find_group(self.store, stream.kind, name)

    def _append_group(self, entries: list[Entry[F]]) -> list[Event[F]]:
        """Append events to streams of one group, looking again if somebody else wrote to them.

        Flows without a lease note things in the streams of models, too. Only a status that moved
        meanwhile tells of another run at the same work.
        """
        kind = entries[0].stream.kind
        before: dict[str, str] | None = None
        for _ in range(_TRIES):
            group = self._group_of(entries[0].stream)
            group.refuse_gaps()
            streams: dict[str, list[Event[Any]]] = {e.stream.name: [] for e in entries}
            for name, event in self._events(group, kind):
                if name in streams:
                    streams[name].append(event)
            statuses = {name: _status(events) for name, events in streams.items()}
            if before not in (None, statuses):
                break
            before = statuses
            fresh: list[Told] = []
            appended = [_appended(streams, entry, fresh) for entry in entries]
            if not fresh or self._write(group, fresh, kind):
                return cast("list[Event[F]]", appended)
        raise ConflictError(
            f"Another run is writing to {entries[0].stream}; run again when it ended."
        )

    def _write(self, group: Group, fresh: list[Told], kind: Kind) -> bool:
        body = [{"of": name, **to_json(event)} for name, event in fresh]
        data = json.dumps(body, separators=(",", ":"), allow_nan=False).encode()
        if not self._is_ours:
            write_format(self.store)
            self._is_ours = True
        if not self.store.put_if_absent(group.next_key, data):
            return False
        self._frozen.add(group.next_key, data, _parser(kind))
        return True


def _parser(kind: Kind) -> Callable[[bytes], tuple[Told, ...]]:
    return lambda data: tuple((i["of"], from_json(i, kind)) for i in json.loads(data))


def _status(events: list[Event[Any]]) -> str:
    return events[-1].status if events else ""


def _appended(
    streams: dict[str, list[Event[Any]]], entry: Entry[Any], fresh: list[Told]
) -> Event[Any]:
    """The entry's event, made unless it is there already."""
    events = streams[entry.stream.name]
    for event in events:
        if event.id == entry.id:
            return event
    status = next_status(entry.stream.kind, _status(events), entry.facts)
    at = now().isoformat(timespec="milliseconds")
    # Through JSON, so that a recorded event and a fresh one are the same thing.
    made = to_json(Event(len(events) + 1, entry.id, at, status, entry.facts))
    event = from_json(json.loads(json.dumps(made, allow_nan=False)), entry.stream.kind)
    events.append(event)
    fresh.append((entry.stream.name, event))
    return event

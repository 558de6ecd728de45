"""Streams of events in the object store: the truth about requests, batches and models.

Events are written as create-only objects with running numbers (`tasks/journal/layout.py`).
Creating the next number is the compare-and-set: of two writers one wins, and the other looks again,
to be refused if the status moved.
"""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from tasks.journal import layout
from tasks.journal.layout import Event, Group
from tasks.store.objects import ObjectStore
from tasks.store.read_once import ReadOnce
from unlearning.errors import ConflictError
from unlearning.policy.deletion import TERMINAL, next_status

__all__ = ["Entry", "Event", "Journal", "now"]

_WRITERS = 16
_TRIES = 100
_FINAL: Mapping[str, frozenset[str]] = {"requests": TERMINAL, "batches": frozenset({"closed"})}
"""Statuses by kind of stream that nothing follows."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An event to be appended; the same id is never appended twice to one stream."""

    stream: str
    id: str
    name: str
    facts: Mapping[str, Any]


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


class Journal:
    """The streams of one store."""

    def __init__(self, store: ObjectStore, frozen: ReadOnce) -> None:
        self.store = store
        self._frozen = frozen

    def read(self, stream: str) -> list[Event]:
        """All events of a stream, oldest first; an unknown stream has none."""
        kind, _, name = stream.partition("/")
        group = layout.find_stream(self.store, kind, name)
        return [event for _, event in layout.events_of(self._frozen, group, {name})]

    def find(self, stream: str, event_id: str) -> Event | None:
        """The event of this id, if it happened."""
        return next((e for e in self.read(stream) if e.id == event_id), None)

    def append(self, entry: Entry) -> Event:
        """Append an event once; a second call with the same id returns the first one's event.

        Raises:
            ConflictError: another writer moved the status, or it does not allow the event.
        """
        return self._append_group([entry])[0]

    def append_all(self, entries: Iterable[Entry]) -> None:
        """Append events to many streams, each event once; those of one sheet become one object.

        Raises:
            ConflictError: as in `append`; what lies in other sheets may be appended all the same.
        """
        groups: dict[tuple[str, str], list[Entry]] = {}
        for entry in entries:
            kind, _, name = entry.stream.partition("/")
            groups.setdefault((kind, layout.group_of(kind, name)), []).append(entry)
        with ThreadPoolExecutor(_WRITERS) as pool:
            for _ in pool.map(self._append_group, groups.values()):
                pass

    def heads(self, kind: str) -> Iterator[tuple[str, Event]]:
        """Name and latest event of every stream of a kind, in name order."""
        for _, found in self._latest(iter(layout.all_groups(self.store, kind))):
            yield from found.items()

    def open_heads(self, kind: str) -> Iterator[tuple[str, Event]]:
        """Name and latest event of every request or batch that something may follow, in name order.

        What is over is not read again: a group without open streams is noted as settled.
        """
        known = layout.settled(self.store, kind)
        groups = (g for g in layout.all_groups(self.store, kind) if (g.name, g.count) not in known)
        for group, found in self._latest(groups):
            waiting = {n: e for n, e in found.items() if e.status not in _FINAL[kind]}
            if not waiting:
                layout.settle(self.store, kind, group)
            yield from waiting.items()

    def latest(self, kind: str, names: Iterable[str]) -> dict[str, Event]:
        """The latest event of each of these streams; unknown ones are left out."""
        wanted = set(names)
        groups = sorted({layout.group_of(kind, name) for name in wanted})
        found: dict[str, Event] = {}
        for _, heads in self._latest(layout.find_group(self.store, kind, g) for g in groups):
            found |= {name: event for name, event in heads.items() if name in wanted}
        return found

    def _latest(self, groups: Iterator[Group]) -> Iterator[tuple[Group, dict[str, Event]]]:
        """The latest events of groups; only so many are read ahead as fit in memory."""
        with ThreadPoolExecutor(_WRITERS) as pool:
            while some := list(islice(groups, 2 * _WRITERS)):
                yield from zip(
                    some, pool.map(lambda g: layout.latest_of(self._frozen, g), some), strict=True
                )

    def _append_group(self, entries: list[Entry]) -> list[Event]:
        """Append events to streams of one group, looking again if somebody else wrote to them.

        Flows without a lease note things in the streams of models, too. Only a status that moved
        meanwhile tells of another run at the same work.
        """
        kind = entries[0].stream.partition("/")[0]
        before: dict[str, str] | None = None
        for _ in range(_TRIES):
            group, streams = self._read_streams(kind, entries)
            statuses = {
                name: events[-1].status if events else "" for name, events in streams.items()
            }
            if before not in (None, statuses):
                break
            before = statuses
            fresh: list[tuple[str, Event]] = []
            appended = [_appended(streams, entry, fresh) for entry in entries]
            if not fresh or self._write(kind, group, fresh):
                return appended
        raise ConflictError(
            f"Another run is writing to {entries[0].stream}; run again when it ended."
        )

    def _read_streams(
        self, kind: str, entries: list[Entry]
    ) -> tuple[Group, dict[str, list[Event]]]:
        streams: dict[str, list[Event]] = {e.stream.partition("/")[2]: [] for e in entries}
        name = next(iter(streams))
        if len(streams) == 1:
            group = layout.find_stream(self.store, kind, name)
        else:
            group = layout.find_group(self.store, kind, layout.group_of(kind, name))
        for name, event in layout.events_of(self._frozen, group, streams):
            streams[name].append(event)
        return group, streams

    def _write(self, kind: str, group: Group, fresh: list[tuple[str, Event]]) -> bool:
        if layout.is_shared(kind):
            return layout.write_shared(self._frozen, group, fresh)
        return all(layout.write_own(self._frozen, f"{kind}/{name}", event) for name, event in fresh)


def _appended(
    streams: dict[str, list[Event]], entry: Entry, fresh: list[tuple[str, Event]]
) -> Event:
    """The entry's event, made unless it is there already."""
    kind, _, name = entry.stream.partition("/")
    events = streams[name]
    for event in events:
        if event.id == entry.id:
            return event
    number = events[-1].number + 1 if events else 1
    status = next_status(kind, events[-1].status if events else "", entry.name)
    at = now().isoformat(timespec="milliseconds")
    event = Event(number, entry.id, entry.name, at, status, dict(entry.facts))
    events.append(event)
    fresh.append((name, event))
    return event

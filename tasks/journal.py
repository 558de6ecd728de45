"""Streams of events in the object store: the truth about requests, batches and models.

A stream is a sequence of create-only objects, journal/<kind>/<name>/<number>.json. Creating the
next number is the compare-and-set: of two writers one wins, the other is told to look again.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from tasks.object_store import ObjectStore
from unlearning.deletion import next_status
from unlearning.errors import ConflictError

_ROOT = "journal"
_WRITERS = 16


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; `name` is in the past tense, `status` is the stream's after it."""

    number: int
    id: str
    name: str
    at: str
    status: str
    facts: dict[str, Any]


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


def read(store: ObjectStore, stream: str) -> list[Event]:
    """All events of a stream, oldest first; an unknown stream has none."""
    keys = [info.key for info in store.list_objects(f"{_ROOT}/{stream}/")]
    return [Event(**json.loads(store.get(key))) for key in keys]


def find(store: ObjectStore, stream: str, event_id: str) -> Event | None:
    """The event of this id, if it happened."""
    return next((e for e in read(store, stream) if e.id == event_id), None)


def append(store: ObjectStore, entry: Entry) -> Event:
    """Append an event once; a second call with the same id returns the first one's event.

    Raises:
        ConflictError: another writer took the place, or the status does not allow the event.
    """
    events = read(store, entry.stream)
    for event in events:
        if event.id == entry.id:
            return event
    number = events[-1].number + 1 if events else 1
    status = next_status(
        entry.stream.partition("/")[0], events[-1].status if events else "", entry.name
    )
    at = now().isoformat(timespec="milliseconds")
    event = Event(number, entry.id, entry.name, at, status, dict(entry.facts))
    data = json.dumps(asdict(event), indent=1, sort_keys=True, allow_nan=False).encode()
    if not store.put_if_absent(f"{_ROOT}/{entry.stream}/{number:06d}.json", data):
        raise ConflictError(f"Another run is writing to {entry.stream}; run again when it ended.")
    return event


def append_all(store: ObjectStore, entries: Iterable[Entry]) -> None:
    """Append events to different streams, many at a time."""
    with ThreadPoolExecutor(_WRITERS) as pool:
        for _ in pool.map(lambda entry: append(store, entry), entries):
            pass


def heads(store: ObjectStore, kind: str) -> Iterator[tuple[str, Event]]:
    """Name and latest event of every stream of a kind, in name order."""
    last: dict[str, str] = {}
    for info in store.list_objects(f"{_ROOT}/{kind}/"):
        last[info.key.split("/")[2]] = info.key
    with ThreadPoolExecutor(_WRITERS) as pool:
        yield from zip(
            last,
            (Event(**json.loads(data)) for data in pool.map(store.get, last.values())),
            strict=True,
        )

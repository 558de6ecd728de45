"""What must be true after every ending, however many runs it took; numbers as in the test plan."""

import json
import sqlite3
import zipfile
from collections import Counter as Count
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from matrix.world import (
    ERASED,
    HELD,
    HOLDOUT_ROWS,
    MODEL,
    NOT_FOUND,
    TRAIN_ROWS,
    UNUSABLE,
    Place,
)
from small_tables import MARK, rows, subject

from tasks.environment.settings import load_settings
from tasks.journal.events.catalog import batch_stream, model_stream, request_stream
from tasks.journal.events.event import Stream
from tasks.journal.events.transitions import next_status
from tasks.registry.services import Services

_REQUESTS = {
    **{(case, "erased"): 1 for case in ERASED},
    ("CASE-00000", "duplicate"): 1,
    (NOT_FOUND, "not_found"): 1,
    (HELD, "on_hold"): 1,
    (UNUSABLE, "quarantined"): 1,
}
_MOST = {
    "registry create_model_version": 1,
    "registry set_registered_model_alias": 1,
    "delta execute": 2,
}


@dataclass(frozen=True)
class Ending:
    """What is right in the end; the default is that of an undisturbed run."""

    requests: Mapping[tuple[str, str], int] = field(default_factory=lambda: dict(_REQUESTS))
    """How many requests of an id stand in a status."""
    kept: frozenset[int] = frozenset()
    """Subjects of the requests whose rows stay after all."""
    most: Mapping[str, int] = field(default_factory=lambda: dict(_MOST))
    """How often a call may be made, all runs together."""
    is_served: bool = True
    """Whether the model has its alias in the end, on a version that forgot."""

    def with_requests(self, more: Mapping[tuple[str, str], int]) -> "Ending":
        """The same, with further requests."""
        return replace(self, requests={**self.requests, **more})

    @property
    def certificates(self) -> set[str]:
        """Every request that is answered has one."""
        answered = ("erased", "not_found")
        return {f"certificates/{case}.json" for case, state in self.requests if state in answered}

    @property
    def gone(self) -> tuple[set[str], set[str]]:
        """Subjects without rows, in the training and the holdout table."""
        return {subject(i) for i in range(3) if i not in self.kept}, {subject(TRAIN_ROWS + 7)}


def broken(place: Place, calls: list[str], ending: Ending) -> list[str]:
    """Every invariant that does not hold, in words; `calls` were made by all runs together."""

    services = Services.open(load_settings())
    checks = (
        certified(services, ending),
        requests(services, ending.requests),
        once(calls, ending),
        tables(place, ending),
        journal_streams(services),
        leftovers(services),
        raw_ids(services, place),
    )
    return [problem for check in checks for problem in check]


def certified(services, ending: Ending) -> Iterator[str]:
    """I-01, I-03, I-04: certificates stand on absent rows and on a champion that forgot them."""

    found = {i.key for i in services.store.list_objects("certificates/")}
    if found != ending.certificates:
        yield f"I-03 certificates {sorted(found ^ ending.certificates)} are too many or missing"
    if ending.is_served != (services.registry.alias_version(MODEL) is not None):
        yield f"I-04 the model {'lost' if ending.is_served else 'kept'} its alias"
    for key in found:
        yield from _told_of_the_model(key, json.loads(services.store.get(key)), ending)
    if not ending.is_served:
        return
    forgot = set(_forgotten_batches())
    for key in found:
        one = json.loads(services.store.get(key))
        if one["outcome"] == "erased" and one.get("models") and one["batch"] not in forgot:
            yield f"I-01 the champion does not descend from a version that forgot what {key} says"


def _told_of_the_model(key: str, one: dict[str, Any], ending: Ending) -> Iterator[str]:
    """A certificate says what became of the model that was trained on the rows."""
    if not any(table["table"].endswith("/train") for table in one.get("tables", ())):
        return
    outcomes = {model["outcome"] for model in one["models"] if model["model"] == MODEL}
    if not outcomes or (outcomes == {"withdrawn"}) == ending.is_served:
        yield f"I-04 {key} says {sorted(outcomes)} of the model"


def _forgotten_batches() -> Iterator[str]:
    """Batches that the champion or one of its ancestors passed the gate for."""
    registry = Services.open(load_settings()).registry
    number = registry.alias_version(MODEL)
    while number:
        tags = registry.client.get_model_version(MODEL, str(number)).tags
        if tags.get("expunge.gate") == "passed":
            yield tags["expunge.batch"]
        number = int(tags.get("expunge.parent_version", 0))


def requests(services, expected: Mapping[tuple[str, str], int]) -> Iterator[str]:
    """I-02, I-08: every record in the one state that it belongs in, and in no second one."""
    from tasks.certificates.status import status
    from unlearning.policy.deletion import TERMINAL

    found = Count((r["request_id"] or UNUSABLE, r["status"]) for r in status(services)["requests"])
    if found != Count(dict(expected)):
        yield f"I-02 the requests stand otherwise: {sorted(found.items())}"
    for name, events in _streams(services).items():
        if name.kind == "requests":
            ends = [e.status for e in events if e.status in TERMINAL]
            if len(ends) > 1 and len({*ends}) > 1:
                yield f"I-02 {name} ended twice: {ends}"


def once(calls: list[str], ending: Ending) -> Iterator[str]:
    """I-03: what can be made again was made once, over all runs."""
    made = Count(calls)
    for call, limit in ending.most.items():
        if made[call] > limit:
            yield f"I-03 {call} was made {made[call]} times"


def tables(place: Place, ending: Ending) -> Iterator[str]:
    """I-05, I-08: the subjects' rows are gone from every file, all others are as they were."""
    from tasks.tables.deletion import leftover_files
    from tasks.tables.delta import open_table

    originals = (rows(TRAIN_ROWS, seed=1), rows(HOLDOUT_ROWS, first=TRAIN_ROWS, seed=2))
    for number, (uri, original) in enumerate(zip(place.tables(), originals, strict=True)):
        found = open_table(load_settings(), uri).to_pyarrow_table().sort_by("subject_id")
        kept = [s not in ending.gone[number] for s in original["subject_id"].to_pylist()]
        expected = original.filter(kept).sort_by("subject_id")
        if found.num_rows != expected.num_rows:
            yield f"I-05 {uri} has {found.num_rows} rows, {expected.num_rows} are right"
        elif found.cast(expected.schema).to_pylist() != expected.to_pylist():
            yield f"I-05 rows of {uri} that nobody asked to erase were changed"
        if left := leftover_files(load_settings(), uri):
            yield f"I-01 {uri} has {left} files of older versions"


def journal_streams(services) -> Iterator[str]:
    """I-06: numbers without a gap, every id once, every status the one that the table gives."""

    for name, events in _streams(services).items():
        if [e.number for e in events] != list(range(1, len(events) + 1)):
            yield f"I-06 {name} has gaps: {[e.number for e in events]}"
        twice = [i for i, n in Count(e.id for e in events).items() if n > 1]
        if twice:
            yield f"I-06 {name} holds {twice} twice"
        status = ""
        for event in events:
            status = next_status(name.kind, status, event.facts)
            if status != event.status:
                yield f"I-06 {name} {event.number} says {event.status}, the table {status}"


def _streams(services) -> dict[Stream, list]:
    journal = services.journal
    streams = [request_stream(name) for name, _ in journal.requests()]
    streams += [batch_stream(name) for name, _ in journal.batches()]
    streams += [model_stream(unquote(name)) for name in journal.models()]
    return {stream: journal.read(stream) for stream in streams}


def leftovers(services) -> Iterator[str]:
    """Nothing that only work in progress needs: candidates, checkpoints, half-written objects."""
    for folder in ("candidates/", "checkpoints/"):
        for info in services.store.list_objects(folder):
            yield f"{info.key} was left behind"


def raw_ids(services, place: Place) -> Iterator[str]:
    """I-06: no raw subject id outside requests/ and the tables, in any file or object."""
    mark = MARK.encode()
    for info in services.store.list_objects(""):
        if not info.key.startswith("requests/") and mark in services.store.get(info.key):
            yield f"I-06 a raw id stands in {info.key}"
    allowed = (place.live / "store/requests", place.live / "tables")
    for path in place.live.rglob("*"):
        if path.is_file() and not any(path.is_relative_to(folder) for folder in allowed):
            parts = (path.read_bytes(), *_zipped(path))
            if any(mark in part for part in parts):
                yield f"I-06 a raw id stands in {path.relative_to(place.live)}"


def _zipped(path: Path) -> Iterator[bytes]:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                yield archive.read(name)


def orchestrator_raw_ids(folder: Path) -> list[str]:
    """I-06 for the orchestrator's own database, which outlives all cases."""
    mark = MARK.encode()
    found = [
        f"I-06 a raw id stands in {p}"
        for p in folder.rglob("*")
        if p.is_file() and mark in p.read_bytes()
    ]
    with sqlite3.connect(folder / "prefect.db") as database:
        (runs,) = database.execute("select count(*) from flow_run").fetchone()
    return found if runs else [*found, "no flow run reached the orchestrator"]

"""One large batch from request file to certificates, and a small one after it, stage by stage.

    python -m benchmarks.scale [--requests 100000] [--rows 5000000] [--subjects 300000]

The stages are the steps of `tasks.pipeline`, in its order, on a store in a directory. Unlearning is
left out: the model is enrolled by name and out of service, so that its tables are searched and
erased and its weights are never read. Linux only: peaks come from /proc.
"""

import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock
from time import perf_counter
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from cyclopts import App
from deltalake import write_deltalake
from rich.console import Console
from rich.table import Table

from benchmarks.unserved import enroll_unserved
from tasks import pipeline
from tasks.certificates.status import requests, status
from tasks.environment.settings import load_settings
from tasks.registry.services import Services
from tasks.store.files import FileStore
from tasks.store.objects import ObjectInfo
from tasks.subjects import open_batches
from unlearning.policy.deletion import is_open

T = TypeVar("T")
RESULTS = Path(__file__).parent / "results"
WIDTH = 16
CHUNK = 500_000
SHARES = {"quarantined": 0.01, "duplicate": 0.01, "on_hold": 0.01, "not_found": 0.02}
"""Shares of the records that are not erased; the rest is."""
app = App(help=__doc__)


class CountingStore(FileStore):
    """A directory store that counts what is asked of it."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.calls: Counter[str] = Counter()
        self._lock = Lock()

    def get(self, key: str) -> bytes:
        """Count a read."""
        self._count("read")
        return super().get(key)

    def put(self, key: str, data: bytes) -> None:
        """Count a write."""
        self._count("written")
        super().put(key, data)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Count a write."""
        self._count("written")
        return super().put_if_absent(key, data)

    def list_objects(self, prefix: str) -> Iterator[ObjectInfo]:
        """Count a listing and what it names."""
        self._count("listings")
        for info in super().list_objects(prefix):
            self._count("listed")
            yield info

    def _count(self, what: str) -> None:
        with self._lock:
            self.calls[what] += 1


@dataclass
class Stages:
    """What each stage took."""

    services: Services
    store: CountingStore
    found: list[dict[str, Any]] = field(default_factory=list)

    def run(self, batch: str, name: str, work: Callable[[], T], count: int) -> T:
        """Run one stage over `count` records or rows, and note what it cost."""
        self.store.calls.clear()
        Path("/proc/self/clear_refs").write_text("5")
        started = perf_counter()
        result = work()
        seconds = perf_counter() - started
        calls = {name: self.store.calls[name] for name in ("read", "written", "listed")}
        row = {"batch": batch, "stage": name, "seconds": seconds, "count": count, **calls}
        self.found.append({**row, "peak_mib": peak_mib()})
        return result


def peak_mib() -> float:
    """The process's largest resident set since it was last reset."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("/proc/self/status names no peak.")


@app.default
def scale(
    *,
    requests: int = 100_000,
    rows: int = 5_000_000,
    subjects: int = 300_000,
    folder: Path | None = None,
    results: Path = RESULTS,
) -> None:
    """Measure, check that every record ended in exactly one state, and write `scale.json`.

    Parameters
    ----------
    requests
        Records in the large batch.
    rows
        Rows of the training table; the holdout table has a fiftieth of them.
    subjects
        Subjects whose rows they are; at least as many as requests.
    folder
        Directory that holds the temporary one.
    results
        Where the result is written.
    """
    with tempfile.TemporaryDirectory(dir=folder) as home:
        os.environ["EXPUNGE_HOME"] = home
        found = measure(Path(home), requests=requests, rows=rows, subjects=subjects)
    show(found)
    results.mkdir(parents=True, exist_ok=True)
    (results / "scale.json").write_text(json.dumps(found, indent=1) + "\n")


def measure(home: Path, *, requests: int, rows: int, subjects: int) -> dict[str, Any]:
    """Stages of the large batch and of a batch of one request after it."""
    if subjects < requests:
        raise ValueError("There must be at least as many subjects as requests.")
    store = CountingStore(str(home / "store"))
    store.check()
    services = Services.over(store, load_settings())
    tables = write_tables(home, rows, subjects)
    enroll_unserved(services, *tables)
    expected = submit(store, requests, subjects)
    stages = Stages(services, store)
    work_off(stages, "large", requests)
    stages.run("large", "status", lambda: status(services), requests)
    check(services, requests, expected)
    one = {"request_id": "again-1", "subject_id": name(subjects - 1), "received_at": MOMENT}
    store.put("requests/incoming/one.jsonl", json.dumps(one).encode())
    work_off(stages, "one more", 1)
    check(services, requests + 1, expected | {"erased": expected["erased"] + 1})
    return {
        "requests": requests,
        "rows": rows,
        "subjects": subjects,
        "states": expected,
        "cores": os.cpu_count(),
        "stages": stages.found,
    }


class TimedSteps(pipeline.Steps):
    """The steps of an erasure, each of them noted with what it cost."""

    def __init__(self, stages: Stages, label: str, count: int) -> None:
        super().__init__(stages.services)
        self._stages, self._label, self._count = stages, label, count

    def __getattribute__(self, name: str) -> Any:
        """A step that is timed; everything else as it is."""
        found = super().__getattribute__(name)
        if name not in _STEPS:
            return found

        def timed(*args: Any) -> Any:
            table = f" {Path(args[1]).name}" if len(args) > 1 and "://" in args[1] else ""
            stage = name.replace("_", " ") + table
            return self._stages.run(self._label, stage, partial(found, *args), self._count)

        return timed


_STEPS = {name for name in vars(pipeline.Steps) if not name.startswith("_")}


def work_off(stages: Stages, label: str, count: int) -> None:
    """One batch the way that every batch goes; no model is served that could be asked."""
    services = stages.services
    stages.run(label, "look for work", lambda: open_batches.has_work(services), count)
    (batch,) = stages.run(label, "freeze", lambda: open_batches.open_batches(services), count)
    pipeline.process_batch(TimedSteps(stages, label, count), batch, [])
    stages.run(label, "list the batch", lambda: list(requests(services, batch)), count)
    stages.run(label, "look for work again", lambda: open_batches.has_work(services), count)


MOMENT = "2026-01-02T03:04:05Z"


def name(number: int) -> str:
    """The subject's id in the tables."""
    return f"subject-{number:09d}"


def write_tables(home: Path, rows: int, subjects: int) -> tuple[str, str]:
    """The training and the holdout table; every subject has rows in the first."""
    places = (home / "train").as_uri(), (home / "holdout").as_uri()
    for place, count in zip(places, (rows, max(1, rows // 50)), strict=True):
        for first in range(0, count, CHUNK):
            part = some_rows(first, min(CHUNK, count - first), subjects)
            write_deltalake(place, part, mode="append")
    return places


def some_rows(first: int, count: int, subjects: int) -> pa.Table:
    """Rows whose subjects follow each other in turn, so that all of a subject's lie apart."""
    numbers = np.arange(first, first + count) % subjects
    features = np.random.default_rng(first).integers(0, 255, (count, WIDTH), dtype=np.uint8)
    return pa.table(
        {
            "subject_id": pa.array([name(n) for n in numbers.tolist()]),
            "label": pa.array(numbers % 2),
            "features": pa.FixedSizeListArray.from_arrays(pa.array(features.ravel()), WIDTH),
        }
    )


def submit(store: FileStore, count: int, subjects: int) -> dict[str, int]:
    """A request file and a hold; returns how many records must end in each state."""
    expected = {state: round(share * count) for state, share in SHARES.items()}
    states = [state for state, number in expected.items() for _ in range(number)]
    expected["erased"] = count - len(states)
    states = ["erased"] * expected["erased"] + states
    lines = [json.dumps(request(n, state, subjects)) for n, state in enumerate(states)]
    store.put("requests/incoming/large.jsonl", "\n".join(lines).encode())
    held = [json.dumps({"subject_id": name(n)}) for n, s in enumerate(states) if s == "on_hold"]
    store.put("requests/holds/court.jsonl", "\n".join(held).encode())
    return expected


def request(number: int, state: str, subjects: int) -> dict[str, str]:
    """The record of this number, made to end in this state."""
    if state == "duplicate":  # of the first ones, in turn
        number = number % 100
    subject = name(subjects + number if state == "not_found" else number)
    row = {"request_id": f"case-{number}", "subject_id": subject, "received_at": MOMENT}
    return row | ({"ground": "z"} if state == "quarantined" else {})


def check(services: Services, count: int, expected: dict[str, int]) -> None:
    """Every record is on record once, in one state, and as many in each state as must be."""
    heads = list(services.journal.requests())
    states = Counter(event.status for _, event in heads)
    if len({record for record, _ in heads}) != count or states != expected:
        raise RuntimeError(f"Of {count} records, {dict(states)}; expected {expected}.")
    waiting = sum(is_open(event.status) for _, event in heads)
    if waiting != expected["on_hold"]:
        raise RuntimeError(f"{waiting} records are open.")


def show(found: dict[str, Any]) -> None:
    """The stages as a table."""
    title = f"{found['requests']} requests, {found['rows']} rows, {found['subjects']} subjects"
    for label in ("large", "one more"):
        stages = [s for s in found["stages"] if s["batch"] == label]
        total = sum(s["seconds"] for s in stages)
        peak = max(s["peak_mib"] for s in stages)
        table = Table(title=f"{title}: {label}, {total:.1f} s, peak {peak:.0f} MiB")
        for column in (
            "stage",
            "seconds",
            "per second",
            "share",
            "read",
            "written",
            "listed",
            "MiB",
        ):
            table.add_column(column, justify="left" if column == "stage" else "right")
        for s in stages:
            rate = s["count"] / max(s["seconds"], 1e-9)
            table.add_row(
                s["stage"], f"{s['seconds']:.2f}", f"{rate:,.0f}", f"{s['seconds'] / total:.1%}",
                str(s["read"]), str(s["written"]), str(s["listed"]), f"{s['peak_mib']:.0f}",
            )  # fmt: skip
        Console(highlight=False).print(table)


if __name__ == "__main__":
    app()

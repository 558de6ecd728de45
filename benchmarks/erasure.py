"""What erasing costs beside a bare delete, and what finding the subjects reads.

python -m benchmarks.erasure
"""

import json
import shutil
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from cyclopts import App
from deltalake import DeltaTable, WriterProperties, write_deltalake
from pyarrow import fs
from rich.console import Console
from rich.table import Table

from tasks.erasure import erasure
from tasks.intake import batches
from tasks.journal import journal
from tasks.store.opening import open_store
from tasks.tables import delta

RESULTS = Path(__file__).parent / "results"
SUBJECTS = 1000
app = App(help=__doc__)


@app.default
def measure(*, rows: int = 400_000, repeats: int = 3, results: Path = RESULTS) -> None:
    """Measure both and write `erasure.json`.

    Parameters
    ----------
    rows
        Rows of the table, each of a subject of its own with 32 numbers.
    repeats
        How often each way erases; they take turns, and the median counts.
    results
        Folder for the JSON file.
    """
    with tempfile.TemporaryDirectory() as folder:
        erased = _throughput(Path(folder), rows, repeats)
        read = [_bytes_read(Path(folder), rows, group) for group in (65536, 8192, 1024)]
    results.mkdir(exist_ok=True)
    body = {"rows": rows, "subjects": SUBJECTS, "erase": erased, "resolve": read}
    (results / "erasure.json").write_text(json.dumps(body, indent=1) + "\n")
    _show("Erasing 1,000 subjects, seconds", [erased])
    _show("Bytes read to find 1,000 subjects", read)


def _rows(count: int, *, is_sorted: bool) -> pa.Table:
    random = np.random.default_rng(0)
    numbers = np.arange(count) if is_sorted else random.permutation(count)
    values = random.random((count, 32), np.float32)
    return pa.table(
        {
            "subject_id": [f"subject-{number:012d}" for number in numbers],
            "features": pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), 32),
        }
    )


def _chosen(count: int) -> list[str]:
    numbers = np.random.default_rng(1).choice(count, SUBJECTS, replace=False)
    return [f"subject-{number:012d}" for number in numbers]


def _write(place: Path, data: pa.Table, group: int) -> str:
    shutil.rmtree(place, ignore_errors=True)
    config = delta.statistics_columns(data.column_names, "subject_id")
    writer = WriterProperties(max_row_group_size=group)
    quarter = -(-len(data) // 4)
    for start in range(0, len(data), quarter):
        write_deltalake(
            place,
            data.slice(start, quarter),
            mode="append",
            configuration=config,
            writer_properties=writer,
        )
    return place.as_uri()


def _throughput(folder: Path, rows: int, repeats: int) -> dict[str, float]:
    """Seconds of the task and of a bare merge and vacuum of the same rows in the same table."""
    data, gone = _rows(rows, is_sorted=False), _chosen(rows)
    spent: dict[str, list[float]] = {"bare": [], "expunge": []}
    for number in range(repeats):
        uri = _write(folder / "t", data, 65536)
        spent["bare"].append(_seconds(lambda uri=uri: _bare(uri, gone)))
        uri = _write(folder / "t", data, 65536)
        run = folder / f"store-{number}"
        spent["expunge"].append(_seconds(lambda uri=uri, run=run: _erase(run, uri, gone)))
    bare, own = (float(np.median(spent[way])) for way in ("bare", "expunge"))
    return {"bare": bare, "expunge": own, "throughput": bare / own}


def _bare(uri: str, gone: list[str]) -> None:
    merge = DeltaTable(uri).merge(
        pa.table({"id": gone}),
        "target.subject_id = source.id",
        source_alias="source",
        target_alias="target",
    )
    merge.when_matched_delete().execute()
    DeltaTable(uri).vacuum(
        retention_hours=0, dry_run=False, enforce_retention_duration=False, full=True
    )


def _erase(run: Path, uri: str, gone: list[str]) -> None:
    store = open_store(run.as_uri())
    store.check()
    for event in ("BatchFrozen", "BatchValidated"):
        journal.append(store, journal.Entry("batches/b", event, event, {}))
    store.put("batches/b/dispositions.json", b"[]")
    match = {"uri": uri, "column": "subject_id", "version": 0, "row_count": 0, "rows": {}}
    store.put("batches/b/matches.json", json.dumps([match]).encode())
    asked = erasure.located_subjects, batches.subjects
    erasure.located_subjects = batches.subjects = lambda *_: gone
    try:
        erasure.erase_rows(store, "b", uri)
        erasure.purge_files(store, "b", uri)
    finally:
        erasure.located_subjects, batches.subjects = asked


def _bytes_read(folder: Path, rows: int, group: int) -> dict[str, Any]:
    """Bytes that the search reads, and those of the row groups that it needs in a sorted table."""
    gone = _chosen(rows)
    uri = _write(folder / "r", _rows(rows, is_sorted=False), group)
    whole = sum(info.size for info in open_store(uri).list_objects(""))
    unsorted = _counted(uri, gone)
    needed = _needed(_write(folder / "r", _rows(rows, is_sorted=True), group), gone)
    return {
        "row_group": group,
        "table": whole,
        "read": unsorted,
        "needed": needed,
        "ratio": unsorted / needed,
    }


def _needed(uri: str, gone: list[str]) -> int:
    """The subject column of every row group whose range holds one of the subjects; no footers."""
    wanted, size = np.array(sorted(gone)), 0
    for file in Path(uri.removeprefix("file://")).glob("*.parquet"):
        metadata = pq.ParquetFile(file).metadata
        for number in range(metadata.num_row_groups):
            column = metadata.row_group(number).column(0)
            first, last = column.statistics.min, column.statistics.max
            if wanted.searchsorted(first) < wanted.searchsorted(last, "right"):
                size += column.total_compressed_size
    return size


def _counted(uri: str, gone: list[str]) -> int:
    real, counter = delta.local_files, Counting(uri)
    delta.local_files = lambda _: fs.PyFileSystem(counter)
    try:
        found = delta.count_by_subject(delta.open_table(uri), "subject_id", gone)
    finally:
        delta.local_files = real
    if len(found) != SUBJECTS:
        raise RuntimeError(f"Found {len(found)} of {SUBJECTS} subjects.")
    return counter.size


class Counting(fs.FSSpecHandler):
    """Arrow's access to a local folder, with every byte that is read counted."""

    def __init__(self, uri: str) -> None:
        from fsspec.implementations.dirfs import DirFileSystem
        from fsspec.implementations.local import LocalFileSystem

        super().__init__(DirFileSystem(uri.removeprefix("file://"), LocalFileSystem()))
        self.size = 0

    def open_input_file(self, path: str) -> pa.NativeFile:
        """The file, its reads counted."""
        counter, file = self, self.fs.open(path, "rb")

        class Counted:
            closed = False

            def read(self, size: int = -1) -> bytes:
                data = file.read(size)
                counter.size += len(data)
                return data

            def __getattr__(self, name: str) -> Any:
                return getattr(file, name)

        return pa.PythonFile(Counted(), mode="r")


def _seconds(work: Any) -> float:
    started = perf_counter()
    work()
    return perf_counter() - started


def _show(title: str, found: list[dict[str, Any]]) -> None:
    table = Table(*found[0], title=title)
    for one in found:
        table.add_row(*(f"{v:,}" if isinstance(v, int) else f"{v:.2f}" for v in one.values()))
    Console().print(table)


if __name__ == "__main__":
    app()

import json
import subprocess
import sys
import threading
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from deltalake import WriterProperties, write_deltalake
from tables import rows, subject
from torch import nn

from tasks.datasets.rows import TableRows
from tasks.datasets.streams import cut, read_ahead
from tasks.environment.settings import load_settings
from unlearning.errors import DataError, ExpungeError
from unlearning.model.gradients import mean_gradient
from unlearning.model.rows import gather, rows_digest

PROJECT = Path(__file__).parents[3]
GROUPS_OF_TEN = WriterProperties(max_row_group_size=10)


def spec(uri, **changes):
    fields = {"features": ("features",), "label": "label", "subject": "subject_id"} | changes
    return DatasetSpec(uri=uri, **fields)


@pytest.fixture
def table(tmp_path) -> str:
    """Three files of several row groups."""
    uri = (tmp_path / "t").as_uri()
    for first, count in ((0, 50), (50, 37), (87, 13)):
        part = rows(count, first=first, seed=first)
        write_deltalake(uri, part, mode="append", writer_properties=GROUPS_OF_TEN)
    return uri


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(40, 8), nn.Tanh(), nn.Linear(8, 2))


def reader_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("expunge-reader")]


def test_batches_are_cut_to_one_size_whatever_their_own():
    sizes = (3, 0, 5, 1, 9)
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    parts = [list(range(s, s + n)) for s, n in zip(starts, sizes, strict=True)]
    batches = [pa.record_batch({"x": pa.array(part, pa.int64())}) for part in parts]
    chunks = [chunk["x"].to_pylist() for chunk in cut(batches, 4)]
    assert chunks == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [12, 13, 14, 15], [16, 17]]


def test_the_gradient_has_the_same_bits_for_the_same_chunks_and_the_same_value_for_others(table):
    stream = TableRows(load_settings(), spec(table), None)
    held = gather(stream)
    whole = mean_gradient(model(), held, chunk_size=100)
    for size in (1, 7, 64, 100):
        streamed, again = (mean_gradient(model(), stream, chunk_size=size) for _ in range(2))
        in_memory = mean_gradient(model(), held, chunk_size=size)
        assert streamed.row_count == 100
        for name, value in streamed.values.items():
            assert value.equal(again.values[name])
            assert value.equal(in_memory.values[name])
            torch.testing.assert_close(value, whole.values[name], rtol=1e-5, atol=1e-8)


def test_the_digest_of_rows_depends_on_rows_alone(table):
    some = TableRows(load_settings(), spec(table), None, only=[subject(i) for i in range(3, 60)])
    digests = {rows_digest(some, size) for size in (1, 7, 4096)}
    assert digests == {rows_digest(gather(some))}
    others = TableRows(load_settings(), spec(table), None, only=[subject(i) for i in range(4, 61)])
    assert rows_digest(others) not in digests


@pytest.mark.parametrize("world", [1, 2, 3, 40])
def test_the_shares_of_all_ranks_are_the_table_once(table, world):
    for only in (None, [subject(i) for i in range(0, 100, 9)]):
        shares = [
            TableRows(load_settings(), spec(table), None, only=only, part=(r, world))
            for r in range(world)
        ]
        whole = gather(TableRows(load_settings(), spec(table), None, only=only))
        found = [gather(share) for share in shares if share.count]
        assert sum(share.count for share in shares) == whole.count
        rows_of = [torch.cat([r.inputs, r.labels[:, None]], 1).tolist() for r in (*found, whole)]
        *mine, all_of_them = (sorted(r) for r in rows_of)
        assert sorted(row for part in mine for row in part) == all_of_them
        if world == 2:
            assert abs(shares[0].count - shares[1].count) <= 10


def test_what_the_reader_raises_is_raised_where_the_rows_are_read(tmp_path):
    uri = (tmp_path / "t").as_uri()
    values = [[1.0, 2.0]] * 50
    values[33] = [1.0]
    columns = {"features": values, "label": [0, 1] * 25, "subject_id": ["a"] * 50}
    write_deltalake(uri, pa.table(columns))
    for size in (1, 7, 50):
        with pytest.raises(DataError, match="different numbers"):
            mean_gradient(
                nn.Linear(2, 2), TableRows(load_settings(), spec(uri), None), chunk_size=size
            )
        assert not reader_threads()


def test_a_file_that_is_gone_is_a_typed_error(table):
    stream = TableRows(load_settings(), spec(table), None)
    for path in Path(table.removeprefix("file://")).glob("*.parquet"):
        path.unlink()
    with pytest.raises(DataError, match="what was asked for"):
        list(stream.chunks(10))


def test_a_reader_closed_early_leaves_no_thread(table):
    chunks = TableRows(load_settings(), spec(table), None).chunks(5)
    next(chunks)
    assert reader_threads()
    chunks.close()
    assert not reader_threads()


def test_the_reader_is_never_more_than_its_depth_ahead():
    made = []

    def source():
        for number in range(10):
            made.append(number)
            yield number

    ahead = read_ahead(source(), depth=2)
    assert next(ahead) == 0
    assert len(made) <= 3
    assert list(ahead) == list(range(1, 10))


@pytest.mark.parametrize("chunk_size", [5, 100])
def test_a_pass_that_fails_stops_its_reader(table, chunk_size):
    endless = nn.Linear(40, 2)
    nn.init.constant_(endless.weight, float("inf"))
    lists = nn.Flatten(0)
    lists.weight = nn.Parameter(torch.ones(1))
    for broken in (endless, lists):
        with pytest.raises(ExpungeError) as caught:
            mean_gradient(
                broken, TableRows(load_settings(), spec(table), None), chunk_size=chunk_size
            )
        assert caught.value
        assert not reader_threads()


def test_features_that_do_not_make_the_shape_are_refused(table):
    with pytest.raises(DataError, match="do not make the shape"):
        list(TableRows(load_settings(), spec(table, shape=(1, 5, 4)), None).chunks(10))


MEASURE = """
import json, re, sys
from pathlib import Path
import torch
from tasks.journal.events.enrollment import DatasetSpec
from tasks.datasets.rows import TableRows
from unlearning.model.gradients import mean_gradient
from unlearning.model.rows import gather
torch.set_num_threads(1)
uri, kind = sys.argv[1:]
spec = DatasetSpec(uri, ("features",), "label", "subject_id")
rows = TableRows(spec, None, only=["s"] if kind == "forget" else None)
rows = gather(rows) if kind == "held" else rows
mean_gradient(torch.nn.Linear(4000, 2), rows, chunk_size=128)
# getrusage would count the parent's memory from before the exec.
peak = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
print(json.dumps({"rows": rows.count, "peak": peak}))
"""


def peak_memory(uri: str, kind: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, uri, kind],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    return json.loads(done.stdout)


def write_wide(uri: str, count: int, width: int = 4000) -> None:
    """One file of rows of 16 kB, 500 in a row group: one of those is held at a time."""
    values = torch.rand(count * width).numpy()
    features = pa.FixedSizeListArray.from_arrays(pa.array(values), width)
    labels = pa.array([i % 2 for i in range(count)])
    columns = {"features": features, "label": labels, "subject_id": ["s"] * count}
    groups = WriterProperties(max_row_group_size=500)
    write_deltalake(uri, pa.table(columns), mode="append", writer_properties=groups)


def test_peak_memory_does_not_grow_with_the_rows(tmp_path):
    small, large = (tmp_path / "small").as_uri(), (tmp_path / "large").as_uri()
    write_wide(small, 1500)
    for _ in range(3):
        write_wide(large, 5000)
    few = peak_memory(small, "all")
    many, forget, held = (peak_memory(large, kind) for kind in ("all", "forget", "held"))
    assert (few["rows"], many["rows"], forget["rows"]) == (1500, 15000, 15000)
    # 5 to 12 MiB on a quiet machine; on a busy one, what was read ahead waits longer.
    assert many["peak"] - few["peak"] < 100, (few, many)
    assert forget["peak"] - few["peak"] < 100, (few, forget)
    # The further 13,500 rows take 206 MiB: the measurement would have shown it.
    assert held["peak"] - few["peak"] > 200, (few, held)

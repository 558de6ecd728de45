"""Rows of a table as tensors, in chunks that memory allows, and what a table must hold."""

import json
import re
import subprocess
import sys
from pathlib import Path

import factories
import pyarrow as pa
import pytest
import torch
from deltalake import WriterProperties, write_deltalake
from small_tables import rows, subject
from torch import nn

from tasks.datasets.encoding import to_tensors
from tasks.datasets.rows import TableRows, check_columns, column_errors, label_counts
from tasks.environment.settings import load_settings
from tasks.journal.events.enrollment import DatasetSpec, InputColumns
from tasks.tables import deletion
from unlearning.errors import DataError
from unlearning.model.gradients import mean_gradient
from unlearning.model.rows import gather, rows_digest

PROJECT = Path(__file__).parents[3]


def dataset(uri, *slices, **changes):
    return factories.dataset(uri=uri, slices=slices, **changes)


@pytest.fixture
def table(tmp_path) -> str:
    place = tmp_path / "t"
    write_deltalake(
        place, rows(60, seed=1), configuration={"delta.dataSkippingStatsColumns": "label"}
    )
    write_deltalake(place, rows(40, first=60, seed=2), mode="append")
    return place.as_uri()


def test_a_text_column_is_no_feature_beside_others(table):
    wrong = DatasetSpec(table, ("subject_id", "label"), "label", "subject_id")
    with pytest.raises(DataError, match="must hold numbers"):
        check_columns(load_settings(), wrong, None)


def test_a_stream_of_rows_is_the_table_whatever_the_chunk_size(table):
    for size in (7, 1000):
        found = TableRows(load_settings(), dataset(table), 1)
        chunks = list(found.chunks(size))
        assert found.count == sum(len(labels) for _, labels in chunks) == 100
        assert all(len(labels) == size for _, labels in chunks[:-1])


def test_a_stream_without_subjects_has_every_other_row(table):
    gone = [subject(i) for i in (0, 7)]
    left = TableRows(load_settings(), dataset(table), 1, without=gone)
    both = TableRows(load_settings(), dataset(table), 1, only=gone)
    whole = TableRows(load_settings(), dataset(table), 1)
    assert left.count == whole.count - both.count
    kept, gone_rows, every = (
        {tuple(x.tolist()) for inputs, _ in rows.chunks(16) for x in inputs}
        for rows in (left, both, whole)
    )
    assert kept == every - gone_rows


def test_a_pinned_version_still_shows_erased_rows_until_the_vacuum(table):
    deletion.delete_rows(load_settings(), table, "subject_id", [subject(3)])
    assert TableRows(load_settings(), dataset(table), 1, only=[subject(3)]).count == 1
    assert TableRows(load_settings(), dataset(table), None, only=[subject(3)]).count == 0


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(40, 8), nn.Tanh(), nn.Linear(8, 2))


def test_the_gradient_has_the_same_bits_for_the_same_chunks_and_the_same_value_for_others(grouped):
    stream = TableRows(load_settings(), dataset(grouped), None)
    gathered = gather(stream)
    whole = mean_gradient(model(), gathered, chunk_size=100)
    for size in (1, 7, 64, 100):
        streamed, again = (mean_gradient(model(), stream, chunk_size=size) for _ in range(2))
        in_memory = mean_gradient(model(), gathered, chunk_size=size)
        assert streamed.row_count == 100
        for name, value in streamed.values.items():
            assert value.equal(again.values[name])
            assert value.equal(in_memory.values[name])
            torch.testing.assert_close(value, whole.values[name], rtol=1e-5, atol=1e-8)


def test_the_digest_of_rows_depends_on_rows_alone(grouped):
    some = TableRows(
        load_settings(), dataset(grouped), None, only=[subject(i) for i in range(3, 60)]
    )
    digests = {rows_digest(some, b"k", size) for size in (1, 7, 4096)}
    assert digests == {rows_digest(gather(some), b"k")}
    others = TableRows(
        load_settings(), dataset(grouped), None, only=[subject(i) for i in range(4, 61)]
    )
    assert rows_digest(others, b"k") not in digests


def test_a_file_that_is_gone_is_a_typed_error(grouped):
    stream = TableRows(load_settings(), dataset(grouped), None)
    for path in Path(grouped.removeprefix("file://")).glob("*.parquet"):
        path.unlink()
    with pytest.raises(DataError, match="what was asked for"):
        list(stream.chunks(10))


def test_features_that_do_not_make_the_shape_are_refused(grouped):
    with pytest.raises(DataError, match="do not make the shape"):
        list(TableRows(load_settings(), dataset(grouped, shape=(1, 5, 4)), None).chunks(10))


MEASURE = """
import json, re, sys
from pathlib import Path
import torch
from tasks.journal.events.enrollment import DatasetSpec, InputColumns
from tasks.datasets.rows import TableRows
from tasks.environment.settings import load_settings
from unlearning.model.gradients import mean_gradient
from unlearning.model.rows import gather
torch.set_num_threads(1)
uri, kind = sys.argv[1:]
spec = DatasetSpec(uri, ("features",), "label", "subject_id")
rows = TableRows(load_settings(), spec, None, only=["s"] if kind == "forget" else None)
rows = gather(rows) if kind == "whole" else rows
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
        timeout=60,
        check=True,
    )
    return json.loads(done.stdout)


def write_wide(uri: str, count: int, width: int = 4000) -> None:
    """One file of rows of 16 kB, 500 in a row group: one of those is in memory at a time."""
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
    many, forget, whole = (peak_memory(large, kind) for kind in ("all", "forget", "whole"))
    assert (few["rows"], many["rows"], forget["rows"]) == (1500, 15000, 15000)
    # 5 to 12 MiB on a quiet machine; on a busy one, what was read ahead waits longer.
    assert many["peak"] - few["peak"] < 100, (few, many)
    assert forget["peak"] - few["peak"] < 100, (few, forget)
    # The further 13,500 rows take 206 MiB: the measurement would have shown it.
    assert whole["peak"] - few["peak"] > 200, (few, whole)


@pytest.mark.parametrize(
    ("column", "sentence"),
    [
        ("subject_id", "names the data subjects"),
        ("nowhere", "no column 'nowhere'"),
        ("income", "strings, integers or booleans"),
        ("features", "strings, integers or booleans"),
        ("many", "more than 50 values"),
    ],
)
def test_columns_that_make_no_slices_are_refused(place, column, sentence):
    with pytest.raises(DataError, match=sentence):
        check_columns(load_settings(), dataset(place, "region", column), None)


def test_columns_that_make_slices_are_accepted(place):
    check_columns(load_settings(), dataset(place, "region", "level", "member"), None)


def test_rows_are_counted_by_class(place):
    assert label_counts(load_settings(), dataset(place), None) == {0: 60, 1: 60}


def test_a_chunk_has_at_least_one_row(place):
    with pytest.raises(ValueError, match="give at least 1"):
        next(TableRows(load_settings(), dataset(place), None).chunks(0))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"label": "income"}, "must hold integers"),
        ({"label": "region", "target": "number"}, "numbers that are predicted"),
        ({"subject": "features"}, "holds several values in one; name a column of ids"),
        ({"features": ("features", "level")}, "not a mixture"),
        ({"features": ("region", "level")}, "must hold numbers"),
    ],
)
def test_columns_of_a_type_that_cannot_be_used_are_refused(place, changes, sentence):
    with pytest.raises(DataError, match=sentence):
        check_columns(load_settings(), dataset(place, **changes), None)


IMAGE, HOUR = InputColumns("image", ("image",)), InputColumns("hour", ("hour",))
ALL = InputColumns("image", ("image", "hour"))
BESIDE = [
    ((IMAGE, HOUR), (), "'image' holds bytes, .* with --shape"),
    ((ALL,), (1, 2, 2), "'image' must hold numbers"),
    ((HOUR,), (1, 2, 2), "is that of images, and no column of them holds any"),
    ((IMAGE, HOUR), (1, 2, 2), ""),
]


@pytest.mark.parametrize(("inputs", "shape", "sentence"), BESIDE, ids=lambda one: str(one)[:40])
def test_an_image_among_several_inputs_has_one_to_itself_and_a_shape(
    tmp_path, inputs, shape, sentence
):
    columns = {"subject_id": ["a"], "label": [0], "image": [b"a"], "hour": [1.0]}
    write_deltalake(tmp_path, pa.table(columns))
    names = tuple(name for one in inputs for name in one.columns)
    spec = dataset(tmp_path.as_uri(), features=names, inputs=inputs, shape=shape)
    found = " ".join(map(str, column_errors(load_settings(), spec, None)))
    assert re.search(sentence, found) if sentence else not found


def test_rows_come_as_they_are_stored_without_whose_they_are(table):
    found = TableRows(load_settings(), dataset(table), 1, without=[subject(i) for i in range(50)])
    stored = pa.Table.from_batches(found.batches(7))
    assert stored.column_names == ["features", "label"]
    assert stored.num_rows == found.count == 50
    assert torch.equal(to_tensors(stored, dataset(table))[0], gather(found).inputs)

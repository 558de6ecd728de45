"""Samples of a table: random, repeatable, from all over it, and bounded in what they read."""

import numpy as np
import pyarrow as pa
import pytest
from deltalake import WriterProperties, write_deltalake
from tables import MARK, rows, subject

from tasks import samples
from tasks.dataset_spec import DatasetSpec
from tasks.samples import sample_rows
from unlearning.errors import DataError


@pytest.fixture
def table(tmp_path) -> str:
    place = tmp_path / "t"
    write_deltalake(place, rows(60, seed=1))
    write_deltalake(place, rows(40, first=60, seed=2), mode="append")
    return place.as_uri()


def spec(uri):
    return DatasetSpec(uri=uri, features=("features",), label="label", subject="subject_id")


def test_a_sample_is_random_repeatable_and_without_the_forgotten(table):
    without = [subject(i) for i in range(50)]
    one, two = (sample_rows(spec(table), 1, count=30, seed=s, without=without) for s in (1, 1))
    other = sample_rows(spec(table), 1, count=30, seed=2, without=without)
    assert one.inputs.equal(two.inputs)
    assert not one.inputs.equal(other.inputs)
    assert sample_rows(spec(table), 1, count=1000, seed=1, without=without).count == 50


def classes_in_the_sample(uri, **options):
    found = sample_rows(DatasetSpec(uri, ("feature",), "label", "subject_id"), None, **options)
    return found.labels.bincount(minlength=10).tolist()


@pytest.mark.parametrize("way", ["partitioned", "in one file", "in row groups"])
def test_a_sample_of_a_table_sorted_by_class_has_every_class(tmp_path, way):
    """Each class alone would be enough for the sample."""
    labels = np.repeat(np.arange(10), 500)
    people = pa.table(
        {
            "subject_id": [f"{MARK}-{n}" for n in range(5000)],
            "label": labels,
            "feature": np.random.default_rng(0).random(5000),
        }
    )
    uri = (tmp_path / "sorted").as_uri()
    options = {"partition_by": ["label"]} if way == "partitioned" else {}
    if way == "in row groups":
        options = {"writer_properties": WriterProperties(max_row_group_size=500)}
    write_deltalake(uri, people, **options)
    counts = classes_in_the_sample(uri, count=100, seed=0)
    assert sum(counts) == 100
    assert min(counts) >= 3


def test_a_sample_grows_from_other_row_groups_where_the_first_are_left_out(tmp_path, monkeypatch):
    """One row group is enough in number, and all but one of its rows are to be left out."""
    monkeypatch.setattr(samples, "_SPREAD", 1)
    uri = (tmp_path / "t").as_uri()
    for start in range(3):
        rows = {
            "subject_id": [f"{start}" if n else f"kept-{start}" for n in range(50)],
            "label": [start] * 50,
            "feature": [0.0] * 50,
        }
        write_deltalake(uri, pa.table(rows), mode="append")
    for gone in (["0", "1"], ["1", "2"], ["2", "0"]):
        counts = classes_in_the_sample(uri, count=10, seed=0, without=gone)
        assert sum(counts) == 10


def test_a_sample_reads_a_bounded_part_of_a_large_table(tmp_path, monkeypatch):
    monkeypatch.setattr(samples, "_SPREAD", 3)
    read = []
    draw = samples._Scan.draw

    def watched(self, group, share):
        read.append(group)
        return draw(self, group, share)

    monkeypatch.setattr(samples._Scan, "draw", watched)
    uri = (tmp_path / "t").as_uri()
    for start in range(8):
        rows = {"subject_id": ["s"] * 20, "label": [start] * 20, "feature": [0.0] * 20}
        write_deltalake(uri, pa.table(rows), mode="append")
    assert sum(classes_in_the_sample(uri, count=5, seed=0)) == 5
    assert len(read) == 3


def test_a_sample_of_nothing_is_an_error(table):
    with pytest.raises(DataError, match="No rows are left"):
        sample_rows(spec(table), 1, count=5, seed=0, without=[subject(i) for i in range(100)])


def test_a_sample_of_a_table_without_rows_is_an_error(tmp_path):
    place = tmp_path / "empty"
    write_deltalake(place, rows(1).slice(0, 0))
    with pytest.raises(DataError, match="No rows are left"):
        sample_rows(spec(place.as_uri()), None, count=5, seed=0)

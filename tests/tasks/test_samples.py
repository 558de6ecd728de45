"""Samples of a table: random, repeatable, from all over it, and bounded in what they read."""

from dataclasses import dataclass
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pytest
import torch
from deltalake import WriterProperties, write_deltalake
from hypothesis import given
from hypothesis import strategies as st
from tables import MARK, rows, subject

from tasks import samples
from tasks.dataset_spec import DatasetSpec
from tasks.samples import draw_groups, sample_rows
from unlearning.errors import DataError


@dataclass
class Part:
    """A row group by its numbers alone."""

    rows: int
    size: int = 1
    name: int = 0

    @property
    def row_groups(self):
        return [self]

    @property
    def total_byte_size(self):
        return self.size


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


def labelled(uri, parts):
    """A table with a file for each part: its label and its number of rows."""
    for label, count in parts:
        part = {
            "subject_id": [f"{MARK}-{label}-{n}" for n in range(count)],
            "label": [label] * count,
            "feature": [0.0] * count,
        }
        write_deltalake(uri, pa.table(part), mode="append")


def test_a_table_of_many_small_parts_is_read_whole(tmp_path):
    uri = (tmp_path / "t").as_uri()
    labels = np.repeat(np.arange(100), 20)
    ids = [f"{MARK}-{n}" for n in range(2000)]
    people = pa.table({"subject_id": ids, "label": labels, "feature": labels * 0.5})
    write_deltalake(uri, people, partition_by=["label"])
    found = sample_rows(
        DatasetSpec(uri, ("feature",), "label", "subject_id"), None, count=900, seed=0
    )
    assert len(found.labels.unique()) == 100


def test_a_large_file_has_its_share_beside_many_small_ones(tmp_path, monkeypatch):
    """Read are 4 row groups of 31; the large one holds 0.87 of the rows."""
    monkeypatch.setattr(samples, "_GROUPS", 4)
    uri = (tmp_path / "t").as_uri()
    labelled(uri, [(0, 2000), *[(1, 10)] * 30])
    shares = [classes_in_the_sample(uri, count=20, seed=seed)[0] / 20 for seed in range(20)]
    assert np.mean(shares) == pytest.approx(2000 / 2300, abs=0.06)


@given(
    counts=st.lists(st.integers(1, 100), min_size=1, max_size=8),
    groups=st.integers(1, 4),
    seed=st.integers(0, 2**32),
)
def test_every_row_has_a_chance_and_none_more_than_certainty(counts, groups, seed):
    found = [(Part(n), n) for n in counts]
    with patch.object(samples, "_GROUPS", groups):
        drawn = draw_groups(found, 1, 1, np.random.default_rng(seed))
    assert len(drawn) == min(groups, len(counts))
    assert all(0 < chance <= 1 for _, chance in drawn)
    assert len(drawn) < len(counts) or all(chance == 1 for _, chance in drawn)


def test_each_row_has_the_same_chance_whatever_its_row_group():
    """The expected number of a group's rows, each counted by the inverse of its chance."""
    counts, seen = [400, 100, 50, 50, 10], np.zeros(5)
    found = [(Part(n, name=i), n) for i, n in enumerate(counts)]
    for seed in range(3000):
        with patch.object(samples, "_GROUPS", 2):
            for group, chance in draw_groups(found, 1, 1, np.random.default_rng(seed)):
                seen[group.name] += 1 / chance
    assert seen / 3000 == pytest.approx(1, abs=0.25)


def test_the_bytes_that_are_read_are_bounded_once_the_rows_are_enough():
    found = [(Part(10, size=samples._BYTES // 4), 10) for _ in range(50)]
    with patch.object(samples, "_GROUPS", 1000):
        assert len(draw_groups(found * 8, 1, 1, np.random.default_rng(0))) == 4
        assert len(draw_groups(found * 8, 100, 1, np.random.default_rng(0))) == 10
        assert len(draw_groups(found * 8, 1, 4, np.random.default_rng(0))) == 16


@pytest.mark.parametrize("left_out", [0.5, 0.8, 0.99])
def test_a_sample_is_as_large_as_it_can_be_however_many_rows_are_left_out(
    tmp_path, monkeypatch, left_out
):
    monkeypatch.setattr(samples, "_GROUPS", 2)
    uri = (tmp_path / "t").as_uri()
    labelled(uri, [(label, 100) for label in range(10)])
    gone = [f"{MARK}-{label}-{n}" for label in range(10) for n in range(int(100 * left_out))]
    kept = 1000 - len(gone)
    counts = classes_in_the_sample(uri, count=100, seed=0, without=gone)
    assert sum(counts) == min(100, kept)
    if left_out > 0.5:  # half of the table, or all of it, had to be read
        assert sum(count > 0 for count in counts) >= 5


def test_a_sample_is_in_random_order_and_a_smaller_one_begins_it(tmp_path):
    uri = (tmp_path / "t").as_uri()
    labelled(uri, [(label, 50) for label in range(4)])
    dataset = DatasetSpec(uri, ("feature",), "label", "subject_id")
    whole, some = (sample_rows(dataset, None, count=n, seed=0).labels for n in (200, 40))
    assert torch.equal(whole[:40], some)
    assert len(some.unique()) == 4


def test_a_sample_of_nothing_is_an_error(table):
    with pytest.raises(DataError, match="No rows are left"):
        sample_rows(spec(table), 1, count=5, seed=0, without=[subject(i) for i in range(100)])


def test_a_sample_of_a_table_without_rows_is_an_error(tmp_path):
    place = tmp_path / "empty"
    write_deltalake(place, rows(1).slice(0, 0))
    with pytest.raises(DataError, match="No rows are left"):
        sample_rows(spec(place.as_uri()), None, count=5, seed=0)

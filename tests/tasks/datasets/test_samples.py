"""Samples of a table: random, repeatable, from all over it, and bounded in what they read."""

from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

import factories
import numpy as np
import pyarrow as pa
import pytest
import torch
from deltalake import WriterProperties, write_deltalake
from hypothesis import given
from hypothesis import strategies as st
from small_tables import MARK, rows, subject

from tasks.datasets import samples
from tasks.datasets.rows import check_columns, to_tensors
from tasks.datasets.samples import draw_groups, sample_rows, sample_with_slices
from tasks.environment.settings import load_settings
from tasks.journal.events.enrollment import DatasetSpec
from unlearning.errors import DataError
from unlearning.model.rows import split_by_content


def dataset(uri, *slices, **changes):
    return factories.dataset(uri=uri, slices=slices, **changes)


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


def test_a_sample_is_random_repeatable_and_without_the_forgotten(table):
    without = [subject(i) for i in range(50)]
    one, two = (
        sample_rows(load_settings(), dataset(table), 1, count=30, seed=s, without=without)
        for s in (1, 1)
    )
    other = sample_rows(load_settings(), dataset(table), 1, count=30, seed=2, without=without)
    assert one.inputs.equal(two.inputs)
    assert not one.inputs.equal(other.inputs)
    assert (
        sample_rows(load_settings(), dataset(table), 1, count=1000, seed=1, without=without).count
        == 50
    )


def classes_in_the_sample(uri, **options):
    found = sample_rows(
        load_settings(), DatasetSpec(uri, ("feature",), "label", "subject_id"), None, **options
    )
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
    options: dict[str, Any] = {"partition_by": ["label"]} if way == "partitioned" else {}
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
        load_settings(),
        DatasetSpec(uri, ("feature",), "label", "subject_id"),
        None,
        count=900,
        seed=0,
    )
    assert len(found.labels.unique()) == 100


def test_a_large_file_has_its_share_beside_many_small_ones(tmp_path, monkeypatch):
    """Read are 4 row groups of 31; the large one holds 0.87 of the rows."""
    monkeypatch.setattr(samples, "ENOUGH_GROUPS", 4)
    uri = (tmp_path / "t").as_uri()
    labelled(uri, [(0, 2000), *[(1, 10)] * 30])
    shares = [classes_in_the_sample(uri, count=20, seed=seed)[0] / 20 for seed in range(20)]
    assert np.mean(shares) == pytest.approx(2000 / 2300, abs=0.06)


@given(
    counts=st.lists(st.integers(1, 100), min_size=1, max_size=8),
    groups=st.integers(1, 9),
    seed=st.integers(0, 2**32),
)
def test_every_row_group_has_a_chance_and_a_table_that_is_not_too_much_is_read_whole(
    counts, groups, seed
):
    found = [(Part(n), n) for n in counts]
    with patch.object(samples, "ENOUGH_GROUPS", groups):
        drawn = draw_groups(found, 1, 1, np.random.default_rng(seed))
    assert 1 <= len(drawn) <= len(counts)
    assert all(0 < chance <= 1 for _, chance in drawn)
    if len(counts) < groups:
        assert drawn == [(part, 1.0) for part, _ in found]


@pytest.mark.parametrize(
    ("parts", "least"),
    [
        ([400, 100, 50, 50, 10], 1),  # so many groups
        ([*[1_000_000] * 20, *[50_000] * 100], 32_000),  # so many bytes
        ([*[1000] * 200, *[10] * 400], 32_000),  # so many rows
    ],
)
def test_rows_have_the_same_chance_whatever_their_row_group(parts, least):
    """Each group counts by the inverse of its chance: on average that is once."""
    found = [(Part(n, size=160 * n), n) for n in parts]
    seen: dict[int, list[float]] = {n: [] for n in parts}
    with patch.object(samples, "ENOUGH_GROUPS", 16 if least > 1 else 3):
        for seed in range(400):
            drawn = draw_groups(found, least, 1, np.random.default_rng(seed))
            for part, chance in drawn:
                seen[part.rows].append(chance)
                # The share that the sample takes of all rows; a group must not be rarer than that.
                assert chance >= 0.9 * min(1, least / 4 / sum(parts))
    for many, chances in seen.items():
        tries = 400 * parts.count(many)
        spread = (tries * chances[0]) ** -0.5
        assert sum(1 / chance for chance in chances) / tries == pytest.approx(1, abs=4 * spread)


def test_the_bytes_that_are_read_are_bounded_once_the_rows_are_enough():
    found = [(Part(10, size=samples.ENOUGH_BYTES // 20), 10) for _ in range(400)]

    def drawn(least, reach):
        with patch.object(samples, "ENOUGH_GROUPS", 1000):
            many = (draw_groups(found, least, reach, np.random.default_rng(s)) for s in range(100))
            return np.mean([len(one) for one in many])

    assert drawn(1, 1) == pytest.approx(20, abs=2)
    assert drawn(600, 1) == pytest.approx(60, abs=4)
    assert drawn(1, 4) == pytest.approx(80, abs=4)


def test_a_few_row_groups_are_read_however_large_they_are():
    found = [(Part(10, size=samples.ENOUGH_BYTES * 3), 10) for _ in range(100)]
    many = [len(draw_groups(found, 1, 1, np.random.default_rng(s))) for s in range(100)]
    assert np.mean(many) == pytest.approx(samples.LEAST_GROUPS, abs=1.2)


@pytest.mark.parametrize("left_out", [0.5, 0.8, 0.99])
def test_a_sample_is_as_large_as_it_can_be_however_many_rows_are_left_out(
    tmp_path, monkeypatch, left_out
):
    monkeypatch.setattr(samples, "ENOUGH_GROUPS", 2)
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
    whole, some = (
        sample_rows(load_settings(), dataset, None, count=n, seed=0).labels for n in (200, 40)
    )
    assert torch.equal(whole[:40], some)
    assert len(some.unique()) == 4


def test_a_sample_of_nothing_is_an_error(table):
    with pytest.raises(DataError, match="No rows are left"):
        sample_rows(
            load_settings(),
            dataset(table),
            1,
            count=5,
            seed=0,
            without=[subject(i) for i in range(100)],
        )


def test_a_sample_of_a_table_without_rows_is_an_error(tmp_path):
    place = tmp_path / "empty"
    write_deltalake(place, rows(1).slice(0, 0))
    with pytest.raises(DataError, match="No rows are left"):
        sample_rows(load_settings(), dataset(place.as_uri()), None, count=5, seed=0)


def assert_right(rows, slices):
    numbers = [int(n) for n in rows.inputs[:, 0]]
    assert slices["region"] == [("north", "south", "missing")[n % 3] for n in numbers]
    assert slices["level"] == [str(n % 4) for n in numbers]
    assert slices["member"] == [("false", "true")[n % 5 == 0] for n in numbers]


def test_each_row_of_a_sample_keeps_its_own_values(place):
    found = sample_with_slices(
        load_settings(), dataset(place, "region", "level", "member"), None, count=15, seed=3
    )
    assert found.rows.count == 15
    assert_right(found.rows, found.slices)


def test_slices_change_nothing_about_which_rows_are_drawn(place):
    without = [f"{MARK}-{n:05d}" for n in range(30)]
    bare = sample_rows(load_settings(), dataset(place), None, count=12, seed=5, without=without)
    found = sample_with_slices(
        load_settings(), dataset(place, "region"), None, count=12, seed=5, without=without
    )
    assert found.rows.inputs.equal(bare.inputs)
    assert found.rows.labels.equal(bare.labels)
    assert sample_with_slices(load_settings(), dataset(place), None, count=12, seed=5).slices == {}


def test_the_halves_of_a_sample_are_those_of_its_rows(place):
    found = sample_with_slices(
        load_settings(), dataset(place, "region", "level", "member"), None, count=90, seed=1
    )
    parts = found.halves()
    for part, drawn in zip(parts, split_by_content(found.rows), strict=True):
        assert part.rows.inputs.equal(drawn.inputs)
        assert part.rows.labels.equal(drawn.labels)
        assert_right(part.rows, part.slices)
    assert sum(part.rows.count for part in parts) == 90


def test_no_subject_id_comes_with_a_sample(place):
    found = sample_with_slices(load_settings(), dataset(place, "region"), None, count=20, seed=0)
    assert MARK not in repr(found)


def test_a_table_may_be_partitioned_by_a_slice(tmp_path, people):
    uri = (tmp_path / "parted").as_uri()
    write_deltalake(uri, people, partition_by=["level"])
    check_columns(load_settings(), dataset(uri, "level"), None)
    found = sample_with_slices(load_settings(), dataset(uri, "level"), None, count=20, seed=0)
    assert found.slices["level"] == [str(int(n) % 4) for n in found.rows.inputs[:, 0]]


def test_a_feature_or_the_label_may_be_a_slice(place):
    both = DatasetSpec(place, ("level", "income"), "label", "subject_id", slices=("level", "label"))
    check_columns(load_settings(), both, None)
    found = sample_with_slices(load_settings(), both, None, count=20, seed=0)
    assert found.slices["level"] == [str(int(n)) for n in found.rows.inputs[:, 0]]
    assert found.slices["label"] == [str(n) for n in found.rows.labels.tolist()]


def test_a_sample_comes_as_it_is_stored_too_in_the_same_order(table):
    spec = replace(dataset(table), scale=2.0)
    found = sample_with_slices(load_settings(), spec, 1, count=30, seed=0)
    for sample in (found, *found.halves()):
        assert sample.table.column_names == ["features", "label"]
        inputs, labels = to_tensors(sample.table, spec)
        assert torch.equal(inputs, sample.rows.inputs)
        assert torch.equal(labels, sample.rows.labels)

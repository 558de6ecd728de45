"""Batches cut to one size and read ahead, by a thread that always ends."""

import threading

import factories
import pyarrow as pa
import pytest
import torch
from deltalake import write_deltalake
from torch import nn

from tasks.datasets.rows import TableRows
from tasks.datasets.streams import cut, read_ahead
from tasks.environment.settings import load_settings
from unlearning.errors import DataError, ExpungeError
from unlearning.model.gradients import mean_gradient


def dataset(uri, *slices, **changes):
    return factories.dataset(uri=uri, slices=slices, **changes)


def reader_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("expunge-reader")]


def test_batches_are_cut_to_one_size_whatever_their_own():
    sizes = (3, 0, 5, 1, 9)
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    parts = [list(range(s, s + n)) for s, n in zip(starts, sizes, strict=True)]
    batches = [pa.record_batch({"x": pa.array(part, pa.int64())}) for part in parts]
    chunks = [chunk["x"].to_pylist() for chunk in cut(batches, 4)]
    assert chunks == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [12, 13, 14, 15], [16, 17]]


def test_what_the_reader_raises_is_raised_where_the_rows_are_read(tmp_path):
    uri = (tmp_path / "t").as_uri()
    values = [[1.0, 2.0]] * 50
    values[33] = [1.0]
    columns = {"features": values, "label": [0, 1] * 25, "subject_id": ["a"] * 50}
    write_deltalake(uri, pa.table(columns))
    for size in (1, 7, 50):
        with pytest.raises(DataError, match="different numbers"):
            mean_gradient(
                nn.Linear(2, 2), TableRows(load_settings(), dataset(uri), None), chunk_size=size
            )
        assert not reader_threads()


def test_a_reader_closed_early_leaves_no_thread(grouped):
    chunks = TableRows(load_settings(), dataset(grouped), None).chunks(5)
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
def test_a_pass_that_fails_stops_its_reader(grouped, chunk_size):
    endless = nn.Linear(40, 2)
    nn.init.constant_(endless.weight, float("inf"))
    lists = nn.Flatten(0)
    lists.weight = nn.Parameter(torch.ones(1))
    for broken in (endless, lists):
        with pytest.raises(ExpungeError) as caught:
            mean_gradient(
                broken, TableRows(load_settings(), dataset(grouped), None), chunk_size=chunk_size
            )
        assert caught.value
        assert not reader_threads()

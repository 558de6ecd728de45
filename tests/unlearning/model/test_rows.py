import hmac
from hashlib import sha256

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unlearning.errors import DataError
from unlearning.model.rows import TensorRows, draw, gather, random_rows, read_chunks, rows_digest


@given(count=st.integers(1, 30), size=st.integers(1, 40))
def test_chunks_are_all_rows_in_order_and_can_be_read_again(count, size):
    rows = TensorRows(torch.arange(count).float(), torch.arange(count))
    for _ in range(2):
        chunks = list(rows.chunks(size))
        assert all(len(labels) == size for _, labels in chunks[:-1])
        assert torch.equal(torch.cat([labels for _, labels in chunks]), rows.labels)
        assert torch.equal(torch.cat([inputs for inputs, _ in chunks]), rows.inputs)


@pytest.mark.parametrize(
    ("inputs", "labels"),
    [
        (torch.zeros(3, 2), torch.zeros(4, dtype=torch.int64)),
        (torch.zeros(3, 2), torch.zeros(3)),
        (torch.zeros(3, 2), torch.zeros(3, 1, dtype=torch.int64)),
        (torch.tensor(0.0), torch.zeros(1, dtype=torch.int64)),
        (torch.zeros(1, 2), torch.tensor(0)),
    ],
)
def test_labels_that_do_not_fit_the_inputs_are_refused(inputs, labels):
    with pytest.raises(DataError):
        TensorRows(inputs, labels)


def test_a_chunk_size_below_one_is_a_programming_mistake(rows):
    with pytest.raises(ValueError, match="chunk size"):
        next(rows(3).chunks(0))


def test_no_rows_are_refused(rows):
    with pytest.raises(DataError, match="empty"):
        next(read_chunks(rows(0), 4, "cpu"))


def test_a_source_that_gives_fewer_rows_than_announced_is_refused(broken_rows):
    with pytest.raises(DataError, match="announced 5 rows and gave 3"):
        list(read_chunks(broken_rows, 2, "cpu"))


def test_a_chunk_with_too_few_labels_is_refused():
    class Uneven:
        count = 2

        def chunks(self, size):
            yield torch.zeros(2, 3), torch.zeros(1, dtype=torch.int64)

    with pytest.raises(DataError, match="2 inputs and 1 labels"):
        list(read_chunks(Uneven(), 2, "cpu"))


def test_gathering_a_stream_gives_the_rows_in_order(rows):
    held = rows(7)

    class Stream:
        count = 7
        chunks = staticmethod(held.chunks)

    gathered = gather(Stream(), 3)
    assert torch.equal(gathered.inputs, held.inputs)
    assert torch.equal(gathered.labels, held.labels)
    assert gather(held) is held


@given(count=st.integers(1, 30), wanted=st.integers(1, 40), size=st.integers(1, 40))
def test_drawn_rows_are_those_at_their_places_whatever_the_chunk(count, wanted, size):
    rows = TensorRows(torch.arange(count).float() * 2, torch.arange(count))
    drawn, places = draw(rows, wanted, size=size)
    assert drawn.count == min(count, wanted) == len(places.unique())
    assert torch.equal(drawn.labels, places)
    assert torch.equal(drawn.inputs, places * 2.0)
    assert torch.equal(drawn.labels, random_rows(rows, wanted).labels)


def test_rows_are_drawn_from_the_whole_of_a_sorted_table():
    rows = TensorRows(torch.zeros(1000), torch.arange(1000))
    quarters = random_rows(rows, 200).labels.div(250, rounding_mode="floor").bincount()
    assert len(quarters) == 4
    assert int(quarters.min()) > 30


def test_a_digest_of_rows_tells_nobody_without_the_key_whose_they_are(rows):
    one = rows(1)
    digests = [rows_digest(one, key) for key in (b"a" * 32, b"b" * 32)]
    assert len(set(digests)) == 2
    inner = [sha256(part.numpy().tobytes()).digest() for part in (one.inputs, one.labels)]
    assert digests[0] == "hmac-sha256:" + hmac.new(b"a" * 32, b"".join(inner), sha256).hexdigest()
    assert sha256(b"".join(inner)).hexdigest() not in "".join(digests)

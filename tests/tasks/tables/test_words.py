"""Ids as whole words: found wherever they stand, and only whole."""

import pytest

from tasks.tables.words import Words


@pytest.mark.parametrize("more", [[], ["zoë@example.org"]])
@pytest.mark.parametrize("size", [1, 7, 16, 1000])
def test_words_are_found_across_chunks_and_only_whole(size, more):
    def found(data):
        chunks = (data[i : i + size] for i in range(0, len(data), size))
        return Words(["customer-1", "7", "12345678", *more]).found(chunks)

    noise = b"\0\x1f" * 50
    assert found(noise + b"\ncustomer-1\n" + noise)
    assert found(noise + "\x01zoë@example.org\x02".encode()) == bool(more)
    assert found(b"customer-1")
    assert not found(noise + b"customer-10 customer-1customer-1 7 12345678" + noise)


def test_ids_that_chance_would_find_are_counted_as_not_searched():
    assert len(Words(["7", "short", "20240101", "two words", "long-enough"])) == 1

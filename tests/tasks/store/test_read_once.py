import json

import pytest

from tasks.store.objects import MissingObjectError
from tasks.store.read_once import ReadOnce


@pytest.fixture
def reads(store, monkeypatch):
    found, get = [], store.get
    monkeypatch.setattr(store, "get", lambda key: found.append(key) or get(key))
    return found


def test_an_object_is_fetched_and_parsed_once(store, reads):
    store.put("a", b"[1]")
    frozen = ReadOnce(store)
    assert frozen.parsed("a", json.loads) is frozen.parsed("a", json.loads)
    assert reads == ["a"]
    assert "a" in frozen


def test_what_was_just_written_is_not_fetched(store, reads):
    frozen = ReadOnce(store)
    assert frozen.add("a", b"[1]", json.loads) == [1]
    assert frozen.parsed("a", json.loads) == [1]
    assert reads == []


def test_nothing_is_kept_of_what_is_absent_or_cannot_be_parsed(store):
    frozen = ReadOnce(store)
    with pytest.raises(MissingObjectError):
        frozen.parsed("a", json.loads)
    store.put("a", b"no JSON")
    with pytest.raises(ValueError, match=r"."):
        frozen.parsed("a", json.loads)
    assert "a" not in frozen
    store.put("b", b"1")
    assert frozen.parsed("b", json.loads) == 1


def test_the_least_recently_used_go_when_they_are_too_many(store, reads):
    for key in "abc":
        store.put(key, b"12345")
    frozen = ReadOnce(store, most_bytes=10)
    for key in "abaca":
        frozen.parsed(key, json.loads)
    assert reads == ["a", "b", "c"]
    assert "b" not in frozen


def test_an_object_larger_than_all_that_is_kept_is_read_and_not_kept(store):
    store.put("a", b"12345678901")
    frozen = ReadOnce(store, most_bytes=10)
    assert frozen.parsed("a", json.loads) == 12345678901
    assert "a" not in frozen

import json

import pytest

from tasks.journal.packs import read_packed
from tasks.store.read_once import ReadOnce

PREFIX = "suppression/"


def write(store, numbers):
    for number in numbers:
        store.put(f"{PREFIX}{number:03d}.json", json.dumps(number).encode())
    return [info.key for info in store.list_objects(PREFIX)]


def read(store, keys):
    return read_packed(store, ReadOnce(store), PREFIX, keys, json.loads)


def packs(store):
    return [info.key for info in store.list_objects("packs/")]


@pytest.fixture
def reads(store, monkeypatch):
    found, get = [], store.get
    monkeypatch.setattr(store, "get", lambda key: found.append(key) or get(key))
    return found


def test_a_few_objects_are_read_as_they_are(store, reads):
    keys = write(store, range(32))
    assert read(store, keys) == list(range(32))
    assert sorted(reads) == keys
    assert packs(store) == []


def test_many_are_read_by_one_call_once_somebody_has_packed_them(store, reads):
    keys = write(store, range(200))
    assert read(store, keys) == list(range(200))
    assert packs(store) == ["packs/suppression/00000200.json"]
    reads.clear()
    assert read(store, keys) == list(range(200))
    assert reads == packs(store)


def test_what_came_after_the_pack_is_read_by_itself_until_it_is_much(store, reads):
    read(store, write(store, range(40)))
    reads.clear()
    assert read(store, write(store, range(60)))[-1] == 59
    assert len(reads) == 21
    assert read(store, write(store, range(80)))[-1] == 79
    assert packs(store) == ["packs/suppression/00000080.json"]


def test_a_pack_that_was_replaced_while_it_was_looked_at_costs_only_reads(store, monkeypatch):
    keys = write(store, range(40))
    read(store, keys)
    listed = list(store.list_objects("packs/"))
    store.delete(listed[0].key)
    list_objects = store.list_objects
    monkeypatch.setattr(
        store,
        "list_objects",
        lambda prefix: iter(listed) if prefix.startswith("packs/") else list_objects(prefix),
    )
    assert read(store, keys) == list(range(40))


def test_only_what_is_asked_for_is_given_in_the_order_asked(store):
    keys = write(store, range(40))
    read(store, keys)
    assert read(store, [keys[7], keys[3]]) == [7, 3]

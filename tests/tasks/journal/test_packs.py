import json

import pytest

from tasks.journal.packs import read_packed
from tasks.store.read_once import ReadOnce
from unlearning.errors import TransientError

PREFIX = "suppression/"


def write(store, numbers):
    for number in numbers:
        store.put_if_absent(f"{PREFIX}{number:03d}.json", json.dumps(number).encode())
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
    assert packs(store) == ["packs/suppression/00000001.json"]
    reads.clear()
    assert read(store, keys) == list(range(200))
    assert reads == packs(store)


def test_what_came_after_the_pack_is_read_by_itself_until_it_is_much(store, reads):
    read(store, write(store, range(40)))
    reads.clear()
    assert read(store, write(store, range(60)))[-1] == 59
    assert len(reads) == 21
    assert read(store, write(store, range(80)))[-1] == 79
    assert packs(store) == ["packs/suppression/00000002.json"]


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


def test_a_pack_is_never_believed_over_the_objects_themselves(store):
    keys = write(store, range(40))
    read(store, keys)
    store.put(keys[7], b"700")  # restored from elsewhere under the same key
    assert read(store, keys)[7] == 700


def test_a_damaged_pack_costs_only_reads_and_is_replaced(store):
    keys = write(store, range(40))
    read(store, keys)
    store.put(packs(store)[0], b"{")
    assert read(store, keys) == list(range(40))
    assert packs(store) == ["packs/suppression/00000002.json"]
    assert read(store, keys) == list(range(40))


def test_who_may_not_write_can_read_all_the_same(store, monkeypatch):
    keys = write(store, range(40))

    def refuse(key, data):
        raise TransientError("The disk is full; free some space.")

    monkeypatch.setattr(store, "put_if_absent", refuse)
    assert read(store, keys) == list(range(40))
    assert packs(store) == []


def test_what_was_deleted_does_not_live_on_in_packs(store):
    keys = write(store, range(40))
    read(store, keys)
    for key in keys[:10]:
        store.delete(key)
    more = write(store, range(40, 80))
    read(store, more)
    assert keys[0] not in json.loads(store.get(packs(store)[-1]))

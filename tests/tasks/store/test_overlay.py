"""A store over another one reads it and changes nothing in it."""

import pytest

from tasks.store import lease
from tasks.store.objects import MissingObjectError
from tasks.store.overlay import Overlay


def test_what_is_written_is_read_here_and_is_not_in_the_store_below(store):
    store.put("a/1", b"old")
    over = Overlay(store)
    over.put("a/1", b"new")
    over.put("a/2", b"more")
    assert (over.get("a/1"), b"".join(over.chunks("a/2"))) == (b"new", b"more")
    assert [info.key for info in over.list_objects("a/")] == ["a/1", "a/2"]
    assert store.get("a/1") == b"old"
    assert [info.key for info in store.list_objects("a/")] == ["a/1"]


def test_an_object_is_created_once_be_it_here_or_below(store):
    store.put("a/1", b"old")
    over = Overlay(store)
    assert over.put_if_absent("a/1", b"old")
    assert not over.put_if_absent("a/1", b"new")
    assert over.put_if_absent("a/2", b"mine")
    assert not over.put_if_absent("a/2", b"yours")
    assert over.get("a/2") == b"mine"


def test_what_is_deleted_is_gone_from_sight_alone(store):
    store.put("a/1", b"old")
    over = Overlay(store)
    over.delete("a/1")
    with pytest.raises(MissingObjectError):
        over.get("a/1")
    assert not list(over.list_objects("a/"))
    assert store.get("a/1") == b"old"
    over.put("a/1", b"new")
    assert over.get("a/1") == b"new"


def test_a_lease_that_another_run_holds_is_not_waited_for(store):
    store.put(
        "lease/000001.json", b'{"host": "h", "pid": 1, "machine": "", "started": "", "token": ""}'
    )
    lease.check(Overlay(store))


def test_a_store_that_is_not_there_yet_is_not_made(tmp_path):
    from tasks.store.files import FileStore

    over = Overlay(FileStore(str(tmp_path / "none")))
    over.check()
    over.put("a", b"1")
    assert not (tmp_path / "none").exists()

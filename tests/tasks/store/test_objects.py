"""What every store promises, on a directory and on a real S3 server."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hostile_names import SOUND, UNUSABLE, longest, outside

from tasks.intake.inbox import INCOMING
from tasks.store.objects import MissingObjectError, ObjectInfo
from unlearning.errors import DataError


def test_only_the_first_writer_creates_an_object(any_store):
    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(lambda i: any_store.put_if_absent("a/b", b"%d" % i), range(16)))
    assert sum(won) == 1
    assert any_store.get("a/b") == b"%d" % won.index(True)


def test_creating_the_same_content_again_counts_as_done(any_store):
    assert any_store.put_if_absent("k", b"same")
    assert any_store.put_if_absent("k", b"same")
    assert not any_store.put_if_absent("k", b"other")
    assert any_store.get("k") == b"same"


def test_listing_is_by_prefix_and_in_order(any_store):
    for key in ("p/2", "p/1", "q/1", "p/sub/3", "pp"):
        any_store.put(key, key.encode())
    assert [i.key for i in any_store.list_objects("p/")] == ["p/1", "p/2", "p/sub/3"]
    assert [i.key for i in any_store.list_objects("p")] == ["p/1", "p/2", "p/sub/3", "pp"]
    assert [i.key for i in any_store.list_objects("none/")] == []


def test_the_version_changes_when_the_content_does(any_store):
    any_store.put("v", b"one")
    (first,) = any_store.list_objects("v")
    any_store.put("v", b"two!")
    (second,) = any_store.list_objects("v")
    assert first.version != second.version


def test_deleting_leaves_no_old_version_behind(any_store):
    any_store.put("d", b"one")
    any_store.put("d", b"two")
    any_store.delete("d")
    any_store.delete("d")
    assert any_store.count_noncurrent("d") == 0
    with pytest.raises(MissingObjectError):
        any_store.get("d")


def test_purging_removes_old_versions_and_keeps_current_ones(any_store):
    any_store.put("t/a", b"old")
    any_store.put("t/a", b"new")
    any_store.put("t/b", b"only")
    any_store.purge_noncurrent("t/")
    assert any_store.count_noncurrent("t/") == 0
    assert any_store.get("t/a") == b"new"
    assert any_store.get("t/b") == b"only"


def test_what_is_spared_keeps_its_old_versions(any_store):
    for name in ("t/a", "t/_kept/a"):
        any_store.put(name, b"old")
        any_store.put(name, b"new")
    before = any_store.count_noncurrent("t/_kept/")
    any_store.purge_noncurrent("t/", spared=("t/_kept/",))
    assert any_store.count_noncurrent("t/", spared=("t/_kept/",)) == 0
    assert any_store.count_noncurrent("t/_kept/") == before


def test_an_object_of_any_name_is_found_read_replaced_and_deleted(any_services):
    names = [*SOUND, longest(any_services), *UNUSABLE]
    for name in names:
        key = INCOMING + name
        any_services.store.put(key, b"old")
        any_services.store.put(key, name.encode())
        assert any_services.store.put_if_absent(key, name.encode())
        assert not any_services.store.put_if_absent(key, b"other")
    listed = {info.key for info in any_services.store.list_objects(INCOMING)}
    assert listed == {INCOMING + name for name in names}
    for name in names:
        assert any_services.store.get(INCOMING + name) == name.encode()
        any_services.store.delete(INCOMING + name)
    assert list(any_services.store.list_objects("")) == []
    assert any_services.store.count_noncurrent("") == 0


def test_a_key_that_no_store_can_hold_is_refused_in_words(any_services):
    before = outside(any_services)
    for name in ("../up", "a/../../../b", "..", "nul\0", "x" * 1100, "/".join(["y" * 99] * 11)):
        for write in (any_services.store.put, any_services.store.put_if_absent):
            with pytest.raises(DataError, match=r"key|refused"):
                write(INCOMING + name, b"{}")
        with pytest.raises(MissingObjectError):
            any_services.store.get(INCOMING + name)
        assert list(any_services.store.list_objects("")) == []
    assert outside(any_services) == before


def test_an_empty_object_that_ends_with_a_slash_marks_a_folder():
    assert ObjectInfo("a/", 0, "").is_folder
    assert not ObjectInfo("a/", 1, "").is_folder
    assert not ObjectInfo("a", 0, "").is_folder


def test_a_large_object_comes_in_pieces(any_store):
    data = bytes(range(256)) * 10_000
    any_store.put("large", data)
    pieces = list(any_store.chunks("large"))
    assert len(pieces) > 1
    assert b"".join(pieces) == data

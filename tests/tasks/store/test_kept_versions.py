"""What is left of an object is counted, in a directory as in a bucket."""

import os

import pytest

from tasks.store.kept_versions import erase, is_linked, locked, locks_all, strangers, versions_left
from unlearning.errors import DataError, ExpungeError


def test_an_object_is_left_until_it_is_deleted_and_its_neighbour_does_not_count(any_store):
    any_store.put("a/photo.png", b"1")
    any_store.put("a/photo.png.old", b"1")
    assert versions_left(any_store, "a/photo.png") == 1
    any_store.delete("a/photo.png")
    assert versions_left(any_store, "a/photo.png") == 0
    assert versions_left(any_store, "a") == 0 if any_store.uri.startswith("s3:") else True


def test_versions_and_markers_of_a_bucket_count(s3_bucket, services):
    from tasks.store.opening import open_store

    store = open_store(f"s3://{s3_bucket}/p", services.settings)
    for data in (b"1", b"2"):
        store.put("a", data)
    store.client.delete_object(Bucket=s3_bucket, Key="p/a")  # pyright: ignore[reportAttributeAccessIssue]
    assert versions_left(store, "a") == 3


def test_a_link_counts_though_it_leads_nowhere(store, services):
    place = services.settings.home / "store"
    (place / "a").symlink_to(place / "nowhere")
    assert versions_left(store, "a") == 1
    assert versions_left(store, "a/b") == 1  # wherever it leads, something is there
    (place / "loop").symlink_to("loop")
    assert is_linked(store, "loop")
    assert not is_linked(store, "absent/loop")


def test_what_is_no_file_is_counted_as_such(store):
    place = store.root
    store.put("folder/a", b"1")
    os.mkfifo(place / "pipe")
    (place / "link").symlink_to("pipe")
    keys = ["folder", "folder/a", "pipe", "link", "absent", "folder/a/b", "x" * 300]
    assert strangers(store, keys) == 2
    for key in ("folder", "pipe", "link"):
        with pytest.raises(DataError, match="the file itself"):
            erase(store, key)
    erase(store, "absent")
    assert [versions_left(store, key) for key in keys] == [1, 1, 1, 1, 0, 0, 0]


def test_a_disk_that_fails_does_not_say_that_nothing_is_there(store, monkeypatch):
    def fails(_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "lstat", fails)
    with pytest.raises(ExpungeError):
        versions_left(store, "a")


def test_without_locks_nothing_is_locked(any_store):
    any_store.put("a", b"1")
    assert locked(any_store, ["a"]) == 0
    assert not locks_all(any_store)

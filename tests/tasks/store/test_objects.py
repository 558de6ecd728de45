from concurrent.futures import ThreadPoolExecutor

import pytest
import servers
from botocore.exceptions import ClientError

from tasks.environment.settings import load_settings
from tasks.store.objects import MissingObjectError
from tasks.store.opening import open_store
from unlearning.errors import SettingsError, TransientError


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


def conflicting(any_store, monkeypatch, times):
    """S3's answer while another write of the key is under way, before that comes to nothing."""
    real, left = any_store._client.put_object, [times]

    def put(**arguments):
        left[0] -= 1
        if left[0] >= 0:
            answer = {"Error": {"Code": "ConditionalRequestConflict"}}
            raise ClientError(answer, "PutObject")
        return real(**arguments)

    monkeypatch.setattr(any_store._client, "put_object", put)


@pytest.mark.parametrize("any_store", ["s3"], indirect=True)
def test_a_conflict_with_a_write_that_came_to_nothing_is_tried_again(any_store, monkeypatch):
    conflicting(any_store, monkeypatch, times=2)
    assert any_store.put_if_absent("c", b"mine")
    assert any_store.get("c") == b"mine"
    conflicting(any_store, monkeypatch, times=9)
    assert not any_store.put_if_absent("c", b"other")
    with pytest.raises(TransientError, match="busy"):
        any_store.put_if_absent("d", b"mine")


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


@pytest.mark.parametrize("key", ["../x", "a/../../x", "/etc/passwd", ""])
def test_a_key_cannot_leave_the_directory(store, key):
    with pytest.raises(MissingObjectError):
        store.get(key)


@pytest.mark.parametrize("uri", ["ftp://x/y", "s3://", "relative/path"])
def test_an_unusable_store_uri_is_refused(home, uri):
    with pytest.raises(SettingsError, match="EXPUNGE_STORE"):
        open_store(uri)


def test_a_missing_bucket_is_named_before_any_work(home, s3_bucket):
    with pytest.raises(SettingsError, match="no-such-bucket"):
        open_store("s3://no-such-bucket/x", load_settings()).check()


def test_a_store_that_is_away_at_the_start_is_tried_again_before_its_address_is_blamed(
    home, monkeypatch
):
    monkeypatch.setenv("EXPUNGE_S3_ENDPOINT_URL", f"http://127.0.0.1:{servers.free_port()}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    away = open_store("s3://nowhere/x", load_settings())
    for error in (SettingsError, TransientError):
        with pytest.raises(error, match="EXPUNGE_S3_ENDPOINT_URL"):
            away.check()


def test_wrong_credentials_are_named_before_any_work(home, s3_bucket, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(SettingsError, match="credentials"):
        open_store(f"s3://{s3_bucket}/x", load_settings()).check()

import pytest
import servers
from botocore.exceptions import ClientError

from tasks.environment.settings import load_settings
from tasks.store.kept_versions import erase, versions_left
from tasks.store.opening import open_store
from unlearning.errors import SettingsError, TransientError


def conflicting(any_store, monkeypatch, times):
    """S3's answer while another write of the key is under way, before that comes to nothing."""
    real, left = any_store.client.put_object, [times]

    def put(**arguments):
        left[0] -= 1
        if left[0] >= 0:
            answer = {"Error": {"Code": "ConditionalRequestConflict"}}
            raise ClientError(answer, "PutObject")
        return real(**arguments)

    monkeypatch.setattr(any_store.client, "put_object", put)


@pytest.mark.parametrize("any_services", ["s3"], indirect=True)
def test_a_conflict_with_a_write_that_came_to_nothing_is_tried_again(any_store, monkeypatch):
    conflicting(any_store, monkeypatch, times=2)
    assert any_store.put_if_absent("c", b"mine")
    assert any_store.get("c") == b"mine"
    conflicting(any_store, monkeypatch, times=9)
    assert not any_store.put_if_absent("c", b"other")
    with pytest.raises(TransientError, match="busy"):
        any_store.put_if_absent("d", b"mine")


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


@pytest.mark.parametrize("any_services", ["s3"], indirect=True)
def test_a_part_of_an_upload_that_was_never_finished_counts_and_is_purged(any_store):
    at = {"Bucket": any_store.bucket, "Key": f"{any_store.prefix}t/part"}
    any_store.client.create_multipart_upload(**at)
    assert any_store.count_noncurrent("t/") == 1
    assert any_store.count_noncurrent("other/") == 0
    any_store.purge_noncurrent("t/")
    assert any_store.count_noncurrent("t/") == 0


@pytest.mark.parametrize("any_services", ["s3"], indirect=True)
def test_uploads_of_one_object_are_told_from_its_neighbour_s(any_store):
    for name in ("t/part", "t/part.old"):
        at = {"Bucket": any_store.bucket, "Key": f"{any_store.prefix}{name}"}
        any_store.client.create_multipart_upload(**at)
    assert (versions_left(any_store, "t/part"), versions_left(any_store, "t")) == (1, 0)
    erase(any_store, "t/part")
    assert (versions_left(any_store, "t/part"), versions_left(any_store, "t/part.old")) == (0, 1)

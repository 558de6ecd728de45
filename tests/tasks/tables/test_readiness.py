"""What would fail for good is found before anything is deleted."""

import os
import shutil

import pytest
from botocore.exceptions import ClientError
from deltalake import DeltaTable, write_deltalake
from small_tables import rows

from tasks.environment.settings import load_settings
from tasks.store.opening import open_store
from tasks.store.s3 import S3Store
from tasks.tables import delta, folder, readiness
from unlearning.errors import DataError

ELSEWHERE = "file:///elsewhere/store"


@pytest.fixture
def place(tmp_path):
    write_deltalake(place := tmp_path / "t", rows(20))
    return place


def refuse(place, store_uri=ELSEWHERE, **options):
    uri = place if isinstance(place, str) else place.as_uri()
    readiness.refuse_unready(load_settings(), uri, store_uri=store_uri, **options)


def test_a_table_by_itself_is_ready_and_nothing_is_left_of_the_trial(place):
    before = set(place.rglob("*"))
    refuse(place)
    assert set(place.rglob("*")) == before


def test_a_store_in_the_folder_of_a_table_stops_and_so_does_a_table_in_the_store(place, tmp_path):
    store = open_store((place / "store").as_uri(), load_settings())
    store.put("requests/incoming/x.jsonl", b"{}")
    with pytest.raises(DataError, match="store/"):
        refuse(place, store_uri=store.uri)
    shutil.rmtree(place / "store")
    for inside in (tmp_path.as_uri(), place.as_uri() + "/"):
        with pytest.raises(DataError, match="EXPUNGE_STORE"):
            refuse(place, store_uri=inside)
    refuse(place, store_uri=tmp_path.as_uri() + "/another")
    refuse(place, store_uri=place.as_uri() + "-beside")


def test_a_missing_file_a_link_and_a_foreign_object_stop_it(place, tmp_path):
    (place / "_archive").mkdir()
    (place / "_archive" / "copy.pq").touch()
    with pytest.raises(DataError, match="_archive"):
        refuse(place)
    refuse(place, tolerated=["_archive/"])
    (file,) = place.glob("*.parquet")
    file.rename(tmp_path / "cold")
    with pytest.raises(DataError, match="are missing"):
        refuse(place, tolerated=["_archive/"])
    file.symlink_to(tmp_path / "cold")
    with pytest.raises(DataError, match="links"):
        refuse(place, tolerated=["_archive/"])


def test_a_folder_that_cannot_be_written_stops_it(place, monkeypatch):
    real = os.access
    monkeypatch.setattr(os, "access", lambda p, m: real(p, m) and "_delta_log" not in str(p))
    with pytest.raises(DataError, match=r"1 folders of .* cannot be written"):
        refuse(place)


def test_a_bucket_that_lets_nothing_be_removed_stops_it(s3_bucket, monkeypatch):
    uri = f"s3://{s3_bucket}/t"
    write_deltalake(uri, rows(5), storage_options=delta.storage_options(load_settings(), uri))
    refuse(uri)
    assert folder.look(load_settings(), uri).old == frozenset()

    def denied(self, item):
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "DeleteObject")

    with monkeypatch.context() as patch:
        patch.setattr(S3Store, "_delete_version", denied)
        with pytest.raises(DataError, match="removed again, old versions included"):
            refuse(uri)
    assert folder.look(load_settings(), uri).old == {folder.PROBE}  # it goes with the next vacuum
    assert DeltaTable(uri, storage_options=delta.storage_options(load_settings(), uri)).count() == 5

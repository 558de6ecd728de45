"""Files gone for good: no id is left in any object."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from small_tables import MARK, rows, subject

from tasks.environment.settings import load_settings
from tasks.store.opening import open_store
from tasks.store.s3 import S3Store
from tasks.tables import delta
from unlearning.errors import DataError

GONE = [subject(3), subject(70)]


def everything(uri: str) -> bytes:
    """All bytes below a local table, checkpoints decoded."""
    found = []
    for path in Path(uri.removeprefix("file://")).rglob("*"):
        if path.is_file():
            found.append(path.read_bytes())
        if path.name.endswith(".checkpoint.parquet"):
            found.append(json.dumps(pq.read_table(path).to_pylist(), default=str).encode())
    return b"".join(found)


def test_counts_add_up_and_no_id_is_left_even_in_a_log_from_before_enrolment(batch, table):
    DeltaTable(table).delete(f"subject_id = '{subject(5)}'")  # a condition in the log
    delta.keep_ids_out_of_log(delta.open_table(load_settings(), table), "subject_id")
    erased = batch.of(table, gone=[subject(0), subject(5), subject(99)]).erase()
    assert (erased.rows_before, erased.rows_matched, erased.rows_after) == (99, 2, 97)
    assert erased.version_after == erased.version_before + 1
    assert subject(0).encode() in everything(table)
    purged = batch.purge()
    assert purged.hits == purged.leftover_files == 0
    assert purged.ids_searched == purged.ids_searched_as_words == 3
    assert purged.bytes_searched > 1000
    left = everything(table)
    assert not [i for i in (0, 5, 99) if subject(i).encode() in left]
    assert delta.open_table(load_settings(), table).count() == purged.rows == 97


def test_a_second_run_does_nothing(batch, table):
    first = batch.of(table).erase(), batch.purge()
    version = DeltaTable(table).version()
    assert (batch.erase(), batch.purge()) == first
    assert DeltaTable(table).version() == version


def test_rows_appended_after_the_deletion_was_recorded_are_found(batch, table):
    batch.of(table).erase()
    write_deltalake(table, rows(1, first=3), mode="append")
    assert batch.purge().rows == 98
    assert subject(3).encode() not in everything(table)


def test_a_copy_beside_the_table_stops_the_batch(batch, table):
    batch.of(table).erase()
    # The vacuum takes every unknown file whose name does not begin with an underscore.
    copy = Path(table.removeprefix("file://")) / "_export.csv"
    copy.write_text(f"id,x\n{subject(3)},1\n")
    with pytest.raises(DataError, match=r"1 objects .* _export\.csv") as error:
        batch.purge()
    assert MARK not in str(error.value)
    copy.unlink()
    assert batch.purge().hits == 0


def test_a_file_that_became_a_link_stops_the_batch_before_anything_is_deleted(
    batch, table, tmp_path
):
    (file, *_) = Path(table.removeprefix("file://")).glob("*.parquet")
    file.rename(elsewhere := tmp_path / "cold.parquet")
    file.symlink_to(elsewhere)
    before = DeltaTable(table).version()
    for work in (batch.of(table).erase, batch.purge):
        with pytest.raises(DataError, match=r"1 files of .* are links"):
            work()
    assert DeltaTable(table).version() == before
    assert file.is_symlink()


def test_a_link_beside_the_table_stops_the_batch(batch, table, tmp_path):
    batch.of(table).erase()
    (elsewhere := tmp_path / "elsewhere.csv").write_text(f"id,x\n{subject(3)},1\n")
    (Path(table.removeprefix("file://")) / "_export.csv").symlink_to(elsewhere)
    with pytest.raises(DataError, match=r"1 files of .* are links"):
        batch.purge()


def test_s3_keeps_no_old_version_and_no_part_of_an_upload(s3_bucket, batch):
    uri = f"s3://{s3_bucket}/my table"
    options = delta.storage_options(load_settings(), uri)
    write_deltalake(uri, rows(100, seed=1), storage_options=options)
    client = S3Store(s3_bucket, "my table", load_settings()).client
    upload = client.create_multipart_upload(Bucket=s3_bucket, Key="my table/part")
    part = {"UploadId": upload["UploadId"], "PartNumber": 1, "Body": subject(3).encode()}
    client.upload_part(Bucket=s3_bucket, Key="my table/part", **part)
    assert batch.of(uri).erase().rows_after == 98
    assert open_store(uri, load_settings()).count_noncurrent("") == 1
    assert batch.purge().hits == 0
    assert open_store(uri, load_settings()).count_noncurrent("") == 0
    versions = client.list_object_versions(Bucket=s3_bucket)
    assert "DeleteMarkers" not in versions
    for item in versions["Versions"]:
        at = {"Bucket": s3_bucket, "Key": item["Key"], "VersionId": item["VersionId"]}
        data = client.get_object(**at)["Body"].read()
        assert not [i for i in GONE if i.encode() in data]

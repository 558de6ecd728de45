"""Files gone for good: no id is left in any object."""

import gzip
import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.transaction import AddAction
from factories import dataset, enrollment, frozen, happen, validated
from object_world import key_of, photo_spec, with_photos
from small_tables import MARK, rows, subject

from tasks.certificates import certified_tables
from tasks.environment.settings import load_settings
from tasks.journal.reading import read_batch, record_enrollment
from tasks.store.opening import open_store
from tasks.store.s3 import S3Store
from tasks.tables import delta
from unlearning.errors import ConflictError, DataError

GONE = [subject(3), subject(70)]


def everything(uri: str) -> bytes:
    """All bytes below a local table, checkpoints decoded."""
    found = []
    for path in Path(uri.removeprefix("file://")).rglob("*"):
        if path.is_file():
            found.append(path.read_bytes())
        if path.name.endswith(".checkpoint.parquet"):
            file = pq.ParquetFile(path)
            # Arrow cannot read these if one is null.
            names = [c.path for c in file.schema if "partitionValues.key_value.v" not in c.path]
            found.append(json.dumps(file.read(names).to_pylist(), default=str).encode())
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


@pytest.mark.parametrize("one", ["anna@example.org", 17])
def test_whom_a_merge_names_is_in_no_log_once_the_files_are_purged(batch, tmp_path, one):
    uri, known = (tmp_path / "t").as_uri(), [one, *([5, 6] if one == 17 else ["b", "c"])]
    names = ["customer_id", "n", "x"]
    told = delta.statistics_columns(names, "customer_id")
    facts = dict(zip(names, (known, [1, 2, 3], [0.5, 1.5, 2.5]), strict=True))
    write_deltalake(uri, pa.table(facts), configuration=told)
    literal = one if one == 17 else f"'{one}'"
    DeltaTable(uri).merge(
        pa.table({"n": [1]}), "target.n = source.n", source_alias="source", target_alias="target"
    ).when_matched_update({"n": "target.n"}, f"target.customer_id = {literal}").execute()
    batch.of(uri, "customer_id", [str(one)]).erase()
    assert f"target.customer_id = {literal}".encode() in everything(uri)
    assert batch.purge().hits == 0
    assert b"target.customer_id" not in everything(uri)


def test_a_table_whose_properties_name_somebody_loses_no_row(batch, table):
    DeltaTable(table).alter.set_table_description(f"without {subject(3)}")
    version = DeltaTable(table).version()
    with pytest.raises(DataError, match=r"the description.*take them out there") as error:
        batch.of(table).erase()
    assert MARK not in str(error.value)
    assert DeltaTable(table).version() == version
    DeltaTable(table).alter.set_table_description("customers")
    assert batch.erase().rows_matched == 2
    assert batch.purge().hits == 0
    assert subject(3).encode() not in everything(table)


def test_no_address_of_an_object_is_left_in_the_log(batch, tmp_path):
    uri, prefix = (tmp_path / "t").as_uri(), (tmp_path / "photos").as_uri()
    told = {delta.SKIPPING: "`label`,`photo`"}
    write_deltalake(uri, with_photos(rows(20, seed=1), prefix, 0), configuration=told)
    known = enrollment(dataset=photo_spec(uri, prefix), holdout=uri)
    record_enrollment(batch.services.journal, known)
    table = delta.open_table(load_settings(), uri)
    delta.keep_ids_out_of_log(table, "subject_id", ["photo"])
    batch.of(uri, gone=[subject(19)]).erase()
    assert key_of(19).encode() in everything(uri)
    assert batch.purge().hits == 0
    assert subject(19).encode() not in everything(uri)
    assert b"photo.png" not in b"".join(p.read_bytes() for p in tmp_path.glob("t/_delta_log/*"))


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
    folder = Path(table.removeprefix("file://"))
    for name in ("_export.csv", f"{subject(3)}.csv"):
        (folder / name).write_text(f"id,x\n{subject(3)},1\n")
    with pytest.raises(DataError, match=r"2 objects .* \*\.csv") as error:
        batch.purge()
    assert MARK not in str(error.value)
    for name in ("_export.csv", f"{subject(3)}.csv"):
        (folder / name).unlink()
    assert batch.purge().hits == 0


def test_copies_and_other_tables_stop_the_batch_before_a_row_is_deleted(batch, table):
    batch.of(table)
    folder, before = Path(table.removeprefix("file://")), DeltaTable(table).version()
    write_deltalake(folder / "eval", rows(10, first=900))
    (folder / "_archive").mkdir()
    pq.write_table(rows(60, seed=1), folder / "_archive" / "copy.pq")
    (folder / "_archive" / "export.csv.gz").write_bytes(gzip.compress(subject(3).encode()))
    for work in (batch.erase, batch.purge):
        with pytest.raises(DataError, match=r"eval/.*--tolerate"):
            work()
    assert DeltaTable(table).version() == before
    assert DeltaTable(folder / "eval").count() == 10
    shutil.move(folder / "eval", folder.parent / "eval")
    with pytest.raises(DataError, match=r"2 objects .* _archive/"):
        batch.erase()
    shutil.rmtree(folder / "_archive")
    assert batch.erase().rows_matched == 2
    assert batch.purge().hits == 0


def test_folders_that_an_enrolment_tolerates_are_left_and_named(batch, table):
    batch.of(table)
    folder = Path(table.removeprefix("file://"))
    write_deltalake(folder / "eval", rows(10, first=900))
    (folder / "_manifest").write_text("part-0.parquet")
    facts = {"tolerated": ("_manifest/", "eval/", "never/"), "dataset": dataset(uri=table)}
    record_enrollment(batch.services.journal, enrollment(**facts))
    batch.erase()
    purged = batch.purge()
    assert purged.not_searched == ("_manifest/", "eval/")
    assert purged.hits == purged.leftover_files == 0
    assert DeltaTable(folder / "eval").count() == 10
    assert certified_tables.erasure_of(
        table, read_batch(batch.services.journal, "b").tables[table]
    )["not_searched"] == ["_manifest/", "eval/"]


def commit(path: Path, count: int) -> None:
    """Commit a data file that lies in its table's folder already."""
    numbers = json.dumps({"numRecords": count})
    add = AddAction(path.name, path.stat().st_size, {}, 0, True, numbers)
    table = DeltaTable(path.parent)
    table.create_write_transaction([add], "append", table.schema(), [])


def test_a_file_that_a_writer_is_about_to_commit_is_left_searched_and_counted(batch, table):
    folder = Path(table.removeprefix("file://"))
    name = "part-00000-1b4e28ba-2fa1-11d2-883f-0016d3cca427-c000.snappy.parquet"
    pq.write_table(rows(20, first=5000, seed=8), folder / name)
    batch.of(table).erase()
    purged = batch.purge()
    assert (purged.hits, purged.leftover_files, purged.uncommitted) == (0, 0, 1)
    certified = certified_tables.erasure_of(
        table, read_batch(batch.services.journal, "b").tables[table]
    )
    assert certified["files_uncommitted"] == 1
    commit(folder / name, 20)
    assert DeltaTable(table).to_pyarrow_table().num_rows == 118


def test_a_file_of_erased_rows_that_may_yet_be_committed_holds_the_batch_up(batch, table):
    folder = Path(table.removeprefix("file://"))
    name = "part-00000-1b4e28ba-2fa1-11d2-883f-0016d3cca427-c000.snappy.parquet"
    pq.write_table(rows(1, first=3, seed=8), folder / name)
    batch.of(table).erase()
    with pytest.raises(ConflictError, match="run again when their writer has committed"):
        batch.purge()
    commit(folder / name, 1)
    assert batch.purge().rows == 98
    assert not (folder / name).exists()


@pytest.mark.parametrize("missing", [None, ""])
def test_a_partition_without_a_value_is_purged_like_any_other(batch, tmp_path, missing):
    uri = (tmp_path / "t").as_uri()
    regions = pa.array(["north", missing, "south", missing] * 25)
    write_deltalake(
        uri, rows(100, seed=1).append_column("region", regions), partition_by=["region"]
    )
    for name, gone in (("b", [subject(3)]), ("c", [subject(4), subject(7)])):
        if name == "c":  # over the log that the first one trimmed
            happen(batch.services.journal, name, frozen=frozen(), validated=validated())
        one = batch.of(uri, gone=gone, name=name)
        assert one.erase().rows_matched == len(gone)
        assert one.purge().hits == 0
        assert not [i for i in gone if i.encode() in everything(uri)]
    assert delta.count_rows(delta.open_table(load_settings(), uri)) == 97


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


def test_an_id_that_others_left_in_the_log_of_a_table_without_its_rows_goes_with_the_request(world):
    here = world
    number = min(here.there(here.holdout))
    DeltaTable(here.holdout).delete(f"subject_id = '{subject(number)}'")
    assert subject(number).encode() in everything(here.holdout)
    here.submit("L", [number])
    here.run()
    assert subject(number).encode() not in everything(here.holdout)
    told = here.requests()[f"L-{number}"].facts
    assert told.reason.startswith("others had deleted the rows before; purged from the files")
    assert here.certificate(f"L-{number}")["outcome"] == "erased"

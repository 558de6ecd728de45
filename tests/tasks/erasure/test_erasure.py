"""Rows erased for good: exact arithmetic, whoever else writes, and no id left in any object."""

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from tables import MARK, rows, subject

from tasks.environment.settings import load_settings
from tasks.erasure import erasure
from tasks.intake import batches
from tasks.journal import journal
from tasks.store.opening import open_store
from tasks.tables import absence_scan, delta
from unlearning.errors import ConflictError, DataError

GONE = [subject(3), subject(70)]
N = 6


class Batch:
    """A validated batch whose subjects have rows in one table."""

    def __init__(self, services, monkeypatch):
        self.services, self.store, self._patch = services, services.store, monkeypatch
        for event in ("BatchFrozen", "BatchValidated"):
            services.journal.append(journal.Entry("batches/b", event, event, {}))
        services.store.put("batches/b/dispositions.json", b"[]")

    def of(self, uri, column="subject_id", gone=GONE):
        match = {"uri": uri, "column": column, "version": 0, "row_count": 0, "rows": {}}
        self.store.put("batches/b/matches.json", json.dumps([match]).encode())
        for place, name in ((erasure, "located_subjects"), (batches, "subjects")):
            self._patch.setattr(place, name, lambda *_: sorted(gone))
        self.uri = uri
        return self

    def erase(self):
        return erasure.erase_rows(self.services, "b", self.uri)

    def purge(self):
        return erasure.purge_files(self.services, "b", self.uri)


@pytest.fixture
def batch(services, monkeypatch):
    return Batch(services, monkeypatch)


@pytest.fixture
def table(tmp_path) -> str:
    place = (tmp_path / "t").as_uri()
    write_deltalake(place, rows(60, seed=1))  # statistics on every column, ids included
    write_deltalake(place, rows(40, first=60, seed=2), mode="append")
    return place


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
    assert (erased["rows_before"], erased["rows_matched"], erased["rows_after"]) == (99, 2, 97)
    assert erased["version_after"] == erased["version_before"] + 1
    assert subject(0).encode() in everything(table)
    purged = batch.purge()
    assert purged["hits"] == purged["leftover_files"] == 0
    assert purged["ids_searched"] == purged["ids_searched_as_words"] == 3
    assert purged["bytes_searched"] > 1000
    left = everything(table)
    assert not [i for i in (0, 5, 99) if subject(i).encode() in left]
    assert delta.open_table(load_settings(), table).count() == purged["rows"] == 97


def test_a_second_run_does_nothing(batch, table):
    first = batch.of(table).erase(), batch.purge()
    version = DeltaTable(table).version()
    assert (batch.erase(), batch.purge()) == first
    assert DeltaTable(table).version() == version


def test_a_deletion_that_was_not_recorded_is_found_not_repeated(batch, table, monkeypatch):
    batch.of(table)
    with monkeypatch.context() as patch:
        patch.setattr(erasure, "_arithmetic", lambda *_: 1 / 0)  # killed after the commit
        with pytest.raises(ZeroDivisionError):
            batch.erase()
    write_deltalake(table, rows(5, first=200), mode="append")
    erased = batch.erase()
    assert (erased["rows_before"], erased["rows_matched"], erased["rows_after"]) == (100, 2, 98)


def appending(monkeypatch, numbers):
    """Another job appends a row of each subject, one right after each deletion."""
    left, real = list(numbers), erasure.delete_rows

    def delete(settings, uri, *rest):
        real(settings, uri, *rest)
        if left:
            write_deltalake(uri, rows(1, first=left.pop(0)), mode="append")

    monkeypatch.setattr(erasure, "delete_rows", delete)


def test_rows_appended_while_they_are_deleted_are_found(batch, table, monkeypatch):
    appending(monkeypatch, [3, 500, 70])
    erased = batch.of(table).erase()
    assert erased["rows_matched"] == 3
    assert (erased["rows_before"], erased["rows_appended"], erased["rows_after"]) == (100, 1, 98)
    assert DeltaTable(table).count() == 99  # subject 500 came after the last deletion


def test_a_job_that_appends_them_for_ever_is_an_error(batch, table, monkeypatch):
    appending(monkeypatch, [3] * 50)
    with pytest.raises(ConflictError, match="again and again"):
        batch.of(table).erase()


def test_rows_appended_after_the_deletion_was_recorded_are_found(batch, table):
    batch.of(table).erase()
    write_deltalake(table, rows(1, first=3), mode="append")
    assert batch.purge()["rows"] == 98
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
    assert batch.purge()["hits"] == 0


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


def test_s3_keeps_no_old_version_and_no_part_of_an_upload(batch, s3_bucket):
    uri = f"s3://{s3_bucket}/my table"
    options = delta.storage_options(load_settings(), uri)
    write_deltalake(uri, rows(100, seed=1), storage_options=options)
    client = open_store(uri, load_settings())._client
    upload = client.create_multipart_upload(Bucket=s3_bucket, Key="my table/part")
    part = {"UploadId": upload["UploadId"], "PartNumber": 1, "Body": subject(3).encode()}
    client.upload_part(Bucket=s3_bucket, Key="my table/part", **part)
    assert batch.of(uri).erase()["rows_after"] == 98
    assert open_store(uri, load_settings()).count_noncurrent("") == 1
    assert batch.purge()["hits"] == 0
    assert open_store(uri, load_settings()).count_noncurrent("") == 0
    versions = client.list_object_versions(Bucket=s3_bucket)
    assert "DeleteMarkers" not in versions
    for item in versions["Versions"]:
        at = {"Bucket": s3_bucket, "Key": item["Key"], "VersionId": item["VersionId"]}
        data = client.get_object(**at)["Body"].read()
        assert not [i for i in GONE if i.encode() in data]


UTC = dt.UTC
D = Decimal
COLUMNS = {
    "zoned": pa.array([dt.datetime(2020, 1, i, tzinfo=UTC) for i in range(1, 7)]),
    "local": pa.array([-2208988800123456] * 5 + [None], pa.timestamp("us")),
    "nanoseconds": pa.array([i * 1000 for i in range(N)], pa.timestamp("ns")),
    "decimal": pa.array([D("1.23"), None, D("-4.56"), D("0.00"), D("9.99"), D("1.00")]),
    "struct": pa.array([{"a": 1, "b": [{"c": "x"}]}, None, {"a": None, "b": []}] * 2),
    "map": pa.array(
        [[("k", 1)], None, [], [("k", None)], [("x", 1), ("y", 2)], []],
        pa.map_(pa.string(), pa.int64()),
    ),
    "list": pa.array([[1], [], None, [None], [2, 3], [4]], pa.list_(pa.int16())),
    "fixed": pa.FixedSizeListArray.from_arrays(pa.array(range(12), pa.int8()), 2),
    "binary": pa.array([b"\x00\xff", None, b"", b"a", b"b", b"c"]),
    "date": pa.array([dt.date(1969, 12, 31), None, *[dt.date(2400, 2, 29)] * 4]),
    "large": pa.array(["ü", None, "", "a", "'", '"'], pa.large_string()),
    "dictionary": pa.array(["a", "b", None, "a", "b", "c"]).dictionary_encode(),
    "float": pa.array([1.5, -0.0, None, 1e-45, float("inf"), 0.1], pa.float32()),
    "tiny": pa.array([1, None, -128, 127, 0, 1], pa.int8()),
    "truth": pa.array([True, None, False] * 2),
}


@pytest.mark.parametrize(
    ("column", "ids"),
    [(name, "string") for name in COLUMNS]
    + [("struct", form) for form in ("large", "int32", "dictionary")],
)
def test_retained_rows_keep_every_value_and_type(tmp_path, column, ids):
    """Compared are the rows in the table's own types; in the files a type may change its form."""
    subjects = {
        "string": pa.array(["a", "b", "c", None, "e", "f"]),
        "large": pa.array(["a", "b", "c", None, "e", "f"], pa.large_string()),
        "int32": pa.array([-(2**31), 2, 3, None, 5, 2**31 - 1], pa.int32()),
        "dictionary": pa.array(["a", "b", "c", None, "e", "f"]).dictionary_encode(),
    }[ids]
    uri = (tmp_path / "t").as_uri()
    write_deltalake(uri, pa.table({"a.'\"id": subjects, "v a,l": COLUMNS[column]}))
    before = delta.arrow_dataset(delta.open_table(load_settings(), uri)).to_table()
    gone = [str(subjects[0]), str(subjects[2])]
    delta.delete_rows(load_settings(), uri, "a.'\"id", gone)
    after = delta.arrow_dataset(delta.open_table(load_settings(), uri)).to_table()
    assert after.schema == before.schema
    kept = before.take([1, 3, 4, 5])
    assert sorted(map(repr, after.to_pylist())) == sorted(map(repr, kept.to_pylist()))
    own = before.schema.field("v a,l").type
    values = COLUMNS[column].take([1, 3, 4, 5]).cast(own).to_pylist()
    assert sorted(map(repr, after["v a,l"].to_pylist())) == sorted(map(repr, values))


def test_what_stands_in_a_dictionary_without_a_row_is_found(tmp_path):
    place = tmp_path / "t"
    place.mkdir()
    both = pa.array(["used-subject", "gone-subject"]).dictionary_encode()
    pq.write_table(pa.table({"id": both}).slice(0, 1), place / "a.parquet", compression="zstd")
    from deltalake import convert_to_deltalake

    convert_to_deltalake(place, configuration={"delta.dataSkippingNumIndexedCols": "0"})
    found = absence_scan.search(load_settings(), place.as_uri(), "id", ["gone-subject"])
    assert found.hits == ["a.parquet"]
    assert absence_scan.search(load_settings(), place.as_uri(), "id", ["other-subject"]).hits == []


@pytest.mark.parametrize("more", [[], ["zoë@example.org"]])
@pytest.mark.parametrize("size", [1, 7, 16, 1000])
def test_words_are_found_across_chunks_and_only_whole(size, more):
    def found(data):
        chunks = (data[i : i + size] for i in range(0, len(data), size))
        return absence_scan.Words(["customer-1", "7", "12345678", *more]).found(chunks)

    noise = b"\0\x1f" * 50
    assert found(noise + b"\ncustomer-1\n" + noise)
    assert found(noise + "\x01zoë@example.org\x02".encode()) == bool(more)
    assert found(b"customer-1")
    assert not found(noise + b"customer-10 customer-1customer-1 7 12345678" + noise)


def test_ids_that_chance_would_find_are_counted_as_not_searched():
    assert len(absence_scan.Words(["7", "short", "20240101", "two words", "long-enough"])) == 1

"""What lies in a table's folder, and whose it is."""

import gzip
import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, Schema, convert_to_deltalake, write_deltalake
from small_tables import MARK, rows, subject

from tasks.environment.settings import load_settings
from tasks.store.opening import open_store
from tasks.tables import deletion, folder, transaction_log
from tasks.tables.delta import storage_options
from unlearning.errors import DataError

UUID = "1b4e28ba-2fa1-11d2-883f-0016d3cca427"
OF_A_WRITER = f"part-00000-{UUID}-c000.snappy.parquet"


@pytest.fixture
def late(monkeypatch):
    """It is long after the files were written."""
    monkeypatch.setenv("EXPUNGE_UNCOMMITTED_HOURS", "0")


@pytest.fixture
def place(tmp_path) -> Path:
    write_deltalake(place := tmp_path / "t", rows(20))
    return place


def put(place: Path, name: str, data: bytes = b"x") -> None:
    (place / name).parent.mkdir(parents=True, exist_ok=True)
    (place / name).write_bytes(data)


def look(place: Path, *tolerated: str) -> folder.Folder:
    return folder.look(load_settings(), place.as_uri(), tolerated)


def copy_of(place: Path) -> pa.Table:
    return DeltaTable(place).to_pyarrow_table()


@pytest.mark.parametrize(
    "name",
    [
        "_archive/copy.pq",
        "_archive/export.csv.gz",
        "export.csv",
        "copy.parquet",
        f"old/{OF_A_WRITER}",
        f"region=north/{OF_A_WRITER}",
        "_symlink_format_manifest/manifest",
        "metadata/v1.metadata.json",
        "_delta_log/backup/00000000000000000000.json",
        "_delta_log/00000000000000000000.json.bak",
        ".scratch/note",
        "_SUCCESS/export",
        "_change_data/export.parquet",
        ".export.csv.crc",
    ],
)
def test_what_no_writer_of_the_table_left_is_foreign(place, name):
    put(place, name)
    found = look(place)
    assert (found.foreign, found.old) == ((name,), frozenset())
    with pytest.raises(DataError, match="--tolerate"):
        folder.refuse_foreign(found, place.as_uri())
    with pytest.raises(DataError, match="--tolerate"):
        deletion.vacuum(load_settings(), place.as_uri())
    assert (place / name).is_file()


@pytest.mark.parametrize(
    "name",
    [
        "_SUCCESS",
        "_committed_123",
        "_started_123",
        "._SUCCESS.crc",
        "_delta_log/_last_checkpoint",
        "_delta_log/00000000000000000000.crc",
        "_delta_log/.00000000000000000000.json.crc",
    ],
)
def test_what_writers_leave_without_rows_is_kept(place, name):
    put(place, name)
    found = look(place)
    assert (found.foreign, found.old) == ((), frozenset())
    deletion.vacuum(load_settings(), place.as_uri())
    assert (place / name).is_file()


@pytest.mark.parametrize(
    "name",
    [
        OF_A_WRITER,  # cut short, so that nobody can read it
        f"{OF_A_WRITER}#1",
        f".{OF_A_WRITER}.crc",
        f"_change_data/cdc-00000-{UUID}.c000.snappy.parquet",
        "_delta_index/part-1.index",
        f"deletion_vector_{UUID}.bin",
        f"_delta_log/_commit_{UUID}.json.tmp",
        f"_delta_log/.00000000000000000001.json.{UUID}.tmp",
        ".expunge-probe",
    ],
)
def test_what_a_writer_left_of_its_own_goes(place, late, name):
    put(place, name)
    assert look(place).old == {name}
    deletion.vacuum(load_settings(), place.as_uri())
    assert not (place / name).exists()
    assert deletion.leftover_files(load_settings(), place.as_uri()) == 0
    assert DeltaTable(place).count() == 20


def test_a_file_that_no_log_names_is_the_table_s_only_with_its_columns(place, late):
    pq.write_table(copy_of(place), place / OF_A_WRITER)
    pq.write_table(pa.table({"who": ["x"]}), place / OF_A_WRITER.replace("00000-", "00001-", 1))
    found = look(place)
    assert found.old == {OF_A_WRITER}
    assert len(found.foreign) == 1


def test_a_file_with_a_column_that_the_table_has_no_more_is_left_and_said_to_be_that(place, late):
    copy = copy_of(place)
    pq.write_table(copy.append_column("dropped", copy["label"]), place / OF_A_WRITER)
    found = look(place)
    assert (found.foreign, found.orphans, found.old) == ((OF_A_WRITER,),) * 2 + (frozenset(),)
    with pytest.raises(
        DataError,
        match=rf"1 of them, part-00000-{UUID} among .* dropped since.* delete .* --tolerate",
    ):
        deletion.vacuum(load_settings(), place.as_uri())
    assert (place / OF_A_WRITER).exists()
    assert look(place, f"{OF_A_WRITER}/").orphans == ()


@pytest.mark.parametrize("folder", ["", "_change_data/"])
def test_a_data_file_that_somebody_may_be_about_to_commit_is_left(place, folder):
    pq.write_table(copy_of(place), place / OF_A_WRITER)
    if folder:
        (place / folder).mkdir()
        (place / OF_A_WRITER).rename(place / folder / OF_A_WRITER)
    found = look(place)
    assert (found.young, found.old, found.foreign) == ({folder + OF_A_WRITER}, frozenset(), ())
    deletion.vacuum(load_settings(), place.as_uri())
    assert (place / folder / OF_A_WRITER).exists()


def test_in_a_bucket_the_age_of_a_file_is_told_by_its_clock(s3_bucket):
    uri = f"s3://{s3_bucket}/t"
    write_deltalake(uri, rows(20), storage_options=storage_options(load_settings(), uri))
    store = open_store(uri, load_settings())
    store.put(OF_A_WRITER, b"cut short")
    assert folder.look(load_settings(), uri).young == {OF_A_WRITER}
    assert folder.PROBE not in {info.key for info in store.list_objects("")}


def test_files_that_the_log_names_are_the_table_s_whatever_they_are_called(tmp_path):
    place = tmp_path / "t"
    (place / "region=a b").mkdir(parents=True)
    pq.write_table(rows(5).select(["subject_id", "label"]), place / "region=a b" / "x.parquet")
    regions = pa.schema([("region", pa.string())])
    convert_to_deltalake(place, partition_by=Schema.from_arrow(regions), partition_strategy="hive")
    assert look(place).foreign == ()
    deletion.delete_rows(load_settings(), place.as_uri(), "subject_id", [subject(1)])
    assert look(place).old == {"region=a b/x.parquet"}
    deletion.vacuum(load_settings(), place.as_uri())
    transaction_log.trim(load_settings(), place.as_uri())
    found = look(place)
    assert (found.foreign, found.old) == ((), frozenset())
    assert DeltaTable(place).count() == 4


def test_a_trimmed_log_makes_no_file_of_the_table_foreign(place):
    deletion.delete_rows(load_settings(), place.as_uri(), "subject_id", [subject(1)])
    left = sorted(look(place).old)
    assert left
    transaction_log.trim(load_settings(), place.as_uri())
    for path in (place / "_delta_log").iterdir():  # as if the time for tombstones were over
        assert path.name.endswith(("checkpoint.parquet", "json", "_last_checkpoint"))
    assert sorted(look(place).old) == left


def test_another_table_in_the_folder_is_refused_and_left_whole(place):
    write_deltalake(place / "orders", rows(7, first=500))
    shutil.copytree(place / "orders", place / "_hidden")
    before = sorted(p for p in (place / "orders").rglob("*") if p.is_file())
    with pytest.raises(DataError, match="another Delta table among them") as error:
        deletion.vacuum(load_settings(), place.as_uri())
    assert "_hidden/" in str(error.value)
    assert sorted(p for p in (place / "orders").rglob("*") if p.is_file()) == before
    found = look(place, "orders/", "_hidden/")
    assert (found.foreign, found.prefixes) == ((), ("_hidden/", "orders/"))
    deletion.vacuum(load_settings(), place.as_uri(), ["orders/", "_hidden/"])
    assert DeltaTable(place / "orders").count() == 7


def test_a_shallow_clone_is_refused_for_what_it_is(place, tmp_path):
    log = "_delta_log/00000000000000000000.json"
    own = json.dumps(next(p.name for p in place.glob("*.parquet")))
    there = json.dumps(place.as_uri() + "/" + json.loads(own))
    put(tmp_path / "clone", log, (place / log).read_text().replace(own, there).encode())
    with pytest.raises(DataError, match="shallow clone"):
        look(tmp_path / "clone")


def test_what_is_tolerated_is_left_alone_and_never_counted(place):
    put(place, "_archive/copy.pq")
    put(place, "_archived.csv")
    assert look(place, "_archive/").foreign == ("_archived.csv",)
    found = look(place, "_archive/", "_archived.csv/", "never/")
    assert found.tolerated == {"_archive/copy.pq", "_archived.csv"}
    assert found.prefixes == ("_archive/", "_archived.csv/")
    tolerated = ["_archive/", "_archived.csv/"]
    deletion.vacuum(load_settings(), place.as_uri(), tolerated)
    assert deletion.leftover_files(load_settings(), place.as_uri(), tolerated) == 0
    assert (place / "_archive/copy.pq").is_file()


def test_no_prefix_makes_a_file_of_the_table_tolerated(place):
    (name,) = (p.name for p in place.glob("*.parquet"))
    deletion.delete_rows(load_settings(), place.as_uri(), "subject_id", [subject(1)])
    assert look(place, f"{name}/").old == {name}


def test_a_refusal_shows_no_name_that_may_be_a_person_s(place):
    put(place, f"{subject(3)}/anna@example.org.csv.gz", gzip.compress(subject(3).encode()))
    put(place, f"{subject(4)}.csv")
    with pytest.raises(DataError) as error:
        folder.refuse_foreign(look(place), place.as_uri())
    assert MARK not in str(error.value)
    assert "anna" not in str(error.value)
    assert folder.shown("_archive/2024/anna@example.org.csv.gz") == "_archive/*.csv.gz"
    assert folder.shown("anna@example.org/x.parquet") == "*/*.parquet"
    assert folder.shown("jane.doe") == "*"

"""A folder of parquet files becomes a Delta table in place, and its log names nobody."""

from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from small_tables import MARK, rows, subject

from tasks.environment.settings import load_settings
from tasks.store.opening import open_store
from tasks.tables import deletion, delta
from tasks.tables.conversion import convert_table
from unlearning.errors import DataError


@pytest.fixture
def folder(tmp_path) -> Path:
    place = tmp_path / "a folder"
    place.mkdir()
    return place


def log_of(uri: str) -> bytes:
    store = open_store(uri, load_settings())
    return b"".join(store.get(i.key) for i in store.list_objects("_delta_log/"))


def test_a_folder_becomes_a_table_whose_log_names_nobody_and_a_second_call_changes_nothing(folder):
    pq.write_table(rows(60), folder / "a.parquet")
    pq.write_table(rows(40, first=60), folder / "b c.parquet")
    (folder / "_SUCCESS").touch()
    uri = folder.as_uri()
    before = (folder / "a.parquet").read_bytes()
    found = convert_table(load_settings(), uri, "subject_id")
    assert found == {"table": uri, "version": 0, "files": 2, "rows": 100}
    assert convert_table(load_settings(), uri, "subject_id") == found
    assert (folder / "a.parquet").read_bytes() == before
    deletion.delete_rows(load_settings(), uri, "subject_id", [subject(3), subject(70)])
    deletion.vacuum(load_settings(), uri)
    assert deletion.leftover_files(load_settings(), uri) == 0
    assert delta.open_table(load_settings(), uri).count() == 98
    assert MARK.encode() not in log_of(uri)


def test_partitioned_folders_on_s3(s3_bucket, tmp_path):
    uri, store = f"s3://{s3_bucket}/lake", open_store(f"s3://{s3_bucket}/lake", load_settings())
    for year, region, first in ((2020, "a b", 0), (2021, "ü", 50)):
        local = tmp_path / "part.parquet"
        pq.write_table(rows(50, first=first), local)
        store.put(f"year={year}/region={region}/part.parquet", local.read_bytes())
    assert convert_table(load_settings(), uri, "subject_id")["rows"] == 100
    deletion.delete_rows(load_settings(), uri, "subject_id", [subject(3)])
    deletion.vacuum(load_settings(), uri)
    left = delta.arrow_dataset(delta.open_table(load_settings(), uri)).to_table()
    assert len(left) == 99
    assert set(left["year"].to_pylist()) == {2020, 2021}
    assert MARK.encode() not in log_of(uri)
    assert convert_table(load_settings(), uri, "subject_id")["rows"] == 99


def written(folder: Path, *columns: dict) -> str:
    for number, data in enumerate(columns):
        pq.write_table(pa.table(data), folder / f"{number}.parquet")
    return folder.as_uri()


ID = {"subject_id": ["a"]}


@pytest.mark.parametrize(
    ("columns", "match"),
    [
        ([], "no parquet"),
        ([{**ID, "n": [1]}, {**ID, "n": ["x"]}], "1 of 2 files"),
        ([{**ID, "n": [1]}, ID], "1 of 2 files"),
        ([{"id": ["a"]}], "no column 'subject_id'"),
        ([{"subject_id": [True]}], "holds true or false, .* a column of ids"),
        ([{"subject_id": pa.array([bytes(16)], pa.uuid())}], "no one spelling"),
        ([{**ID, "at": pa.array([1], pa.timestamp("ns"))}], "'at' .* do not fit"),
        ([{**ID, "n": pa.array([2**63], pa.uint64())}], "'n' .* do not fit"),
        ([{**ID, "n": pa.array([[143]], pa.list_(pa.uint8()))}], "'n' .* do not fit"),
        ([{**ID, "n": pa.array([[143, 1]], pa.list_(pa.uint8(), 2))}], "'n' .* do not fit"),
        ([{**ID, "at": pa.array([1], pa.timestamp("us", "Europe/Berlin"))}], "Delta does not have"),
        ([{**ID, "at": pa.array([1], pa.time64("us"))}], "'at' .* Delta does not have"),
    ],
)
def test_what_cannot_be_converted_is_left_alone(folder, columns, match):
    with pytest.raises(DataError, match=match):
        convert_table(load_settings(), written(folder, *columns), "subject_id")
    assert not (folder / "_delta_log").exists()


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("metadata/v1.metadata.json", "Iceberg"),
        (".hoodie/hoodie.properties", "Hudi"),
        ("_metadata", "1 objects"),
        ("export.csv", "1 objects"),
        ("subject_id=a/x.parquet", "not all named"),
    ],
)
def test_foreign_content_is_refused(folder, name, match):
    uri = written(folder, ID)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes((folder / "0.parquet").read_bytes())
    with pytest.raises(DataError, match=match):
        convert_table(load_settings(), uri, "subject_id")
    assert not (folder / "_delta_log").exists()


def test_a_file_is_no_folder(folder):
    pq.write_table(rows(5), folder / "a.parquet")
    with pytest.raises(DataError, match="is a file; give the folder"):
        convert_table(load_settings(), (folder / "a.parquet").as_uri(), "subject_id")


@pytest.mark.parametrize("is_folder", [False, True])
def test_a_link_to_rows_elsewhere_is_refused(folder, tmp_path, is_folder):
    uri = written(folder, ID)
    (elsewhere := tmp_path / "elsewhere").mkdir()
    pq.write_table(rows(5), elsewhere / "b.parquet")
    at = "more" if is_folder else "b.parquet"
    (folder / at).symlink_to(elsewhere if is_folder else elsewhere / at)
    with pytest.raises(DataError, match=r"1 files of .* are links"):
        convert_table(load_settings(), uri, "subject_id")
    assert not (folder / "_delta_log").exists()


@pytest.mark.parametrize(
    ("column", "value", "match"),
    [("subject_id", "a", "partitioned by the subject"), ("p", "a%2Fb", "encoded characters")],
)
def test_folders_that_name_people_or_odd_characters_are_refused(folder, column, value, match):
    inner = folder / f"{column}={value}"
    inner.mkdir()
    pq.write_table(pa.table({"x": [1], "subject_id": ["a"]}), inner / "x.parquet")
    with pytest.raises(DataError, match=match):
        convert_table(load_settings(), folder.as_uri(), "subject_id")


def test_nanoseconds_and_unsigned_numbers_that_fit_are_converted(folder):
    uri = written(
        folder,
        {
            "subject_id": ["a", "b"],
            "at": pa.array([1000, None], pa.timestamp("ns")),
            "n": pa.array([1, 2], pa.uint8()),
        },
    )
    convert_table(load_settings(), uri, "subject_id")
    deletion.delete_rows(load_settings(), uri, "subject_id", ["b"])
    (row,) = delta.arrow_dataset(delta.open_table(load_settings(), uri)).to_table().to_pylist()
    assert (row["at"].microsecond, row["n"]) == (1, 1)


def test_ids_stored_as_a_dictionary_are_found(folder):
    ids = pa.array(["a", "b", "a"]).dictionary_encode()
    uri = written(folder, {"subject_id": ids, "n": [1, 2, 3]})
    convert_table(load_settings(), uri, "subject_id")
    table = delta.open_table(load_settings(), uri)
    assert delta.count_by_subject(table, "subject_id", ["a"]) == {"a": 2}
    where = delta.matching(table, "subject_id", ["a"])
    assert isinstance(delta.arrow_dataset(table), ds.FileSystemDataset)
    assert delta.has_rows(table, where, "subject_id")

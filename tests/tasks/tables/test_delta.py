"""Delta tables opened, searched and counted, and their logs kept free of ids."""

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from small_tables import MARK, rows, subject

from tasks.environment.settings import load_settings
from tasks.tables import deletion, delta
from unlearning.errors import DataError


@pytest.fixture
def table(tmp_path) -> str:
    place = tmp_path / "t"
    write_deltalake(
        place, rows(60, seed=1), configuration={"delta.dataSkippingStatsColumns": "label"}
    )
    write_deltalake(place, rows(40, first=60, seed=2), mode="append")
    return place.as_uri()


def test_rows_are_counted_by_subject(table):
    write_deltalake(table, rows(1, first=5), mode="append")
    found = delta.count_by_subject(DeltaTable(table), "subject_id", [subject(5), subject(6), "no"])
    assert found == {subject(5): 2, subject(6): 1}


def test_integer_ids_match_only_in_their_canonical_form(tmp_path):
    place = (tmp_path / "ints").as_uri()
    write_deltalake(place, pa.table({"subject_id": [0, 1, 7, 70, -3], "label": [0, 1, 0, 0, 1]}))
    asked = ["7", "007", "x", "1.0", "70", "9" * 40, "--5", "-", "-0", "-3", "+1"]
    found = delta.count_by_subject(DeltaTable(place), "subject_id", asked)
    assert found == {"7": 1, "70": 1, "-3": 1}
    deletion.delete_rows(load_settings(), place, "subject_id", asked)
    left = delta.arrow_dataset(delta.open_table(load_settings(), place)).to_table()
    assert sorted(left["subject_id"].to_pylist()) == [0, 1]


ODD = ["a b", 'q"u', "d.o,t", "back`quote", "subject_id"]


def test_a_missing_table_or_version_is_named(tmp_path, table):
    with pytest.raises(DataError):
        delta.open_table(load_settings(), (tmp_path / "none").as_uri())
    with pytest.raises(DataError):
        delta.open_table(load_settings(), table, 99)


@pytest.mark.parametrize("subject_column", ODD)
def test_no_name_of_a_column_brings_ids_into_the_log(tmp_path, subject_column):
    place = tmp_path / "t"
    columns = {name: ["x"] * 2 for name in ODD} | {subject_column: [subject(1), subject(2)]}
    write_deltalake(
        place, pa.table(columns), configuration={"delta.dataSkippingNumIndexedCols": "0"}
    )
    delta.keep_ids_out_of_log(delta.open_table(load_settings(), place.as_uri()), subject_column)
    write_deltalake(place, pa.table(columns), mode="append")
    deletion.delete_rows(load_settings(), place.as_uri(), subject_column, [subject(1)])
    assert DeltaTable(place).count() == 2
    assert MARK.encode() not in b"".join(p.read_bytes() for p in (place / "_delta_log").iterdir())


@pytest.mark.parametrize(
    ("feature", "match"),
    [
        ({"delta.appendOnly": "true"}, "append-only"),
        ({"delta.columnMapping.mode": "name"}, "columnMapping"),
    ],
)
def test_a_table_whose_rows_cannot_be_erased_is_refused_at_once(tmp_path, feature, match):
    place = tmp_path / "t"
    write_deltalake(place, rows(3))
    commit = place / "_delta_log/00000000000000000000.json"
    settings = ",".join(f'"{name}":"{value}"' for name, value in feature.items())
    commit.write_text(
        commit.read_text().replace('"configuration":{}', f'"configuration":{{{settings}}}', 1)
    )
    with pytest.raises(DataError, match=match):
        delta.open_table(load_settings(), place.as_uri())


def test_deletion_vectors_are_refused_at_once(tmp_path):
    place = tmp_path / "t"
    write_deltalake(place, rows(3))
    commit = place / "_delta_log/00000000000000000000.json"
    plain = '"protocol":{"minReaderVersion":1,"minWriterVersion":2}'
    newer = (
        '"protocol":{"minReaderVersion":3,"minWriterVersion":7,'
        '"readerFeatures":["deletionVectors"],"writerFeatures":["deletionVectors"]}'
    )
    assert plain in commit.read_text()
    commit.write_text(commit.read_text().replace(plain, newer, 1))
    with pytest.raises(DataError, match="deletionVectors"):
        delta.open_table(load_settings(), place.as_uri())


def test_identity_columns_are_refused_at_once(tmp_path):
    place = tmp_path / "t"
    write_deltalake(place, rows(3))
    commit = place / "_delta_log/00000000000000000000.json"
    label = r"\"name\":\"label\",\"type\":\"long\",\"nullable\":true,\"metadata\":{"
    assert label in commit.read_text()
    told = commit.read_text().replace(label, label + r"\"delta.identity.start\":1", 1)
    commit.write_text(told)
    with pytest.raises(DataError, match="identityColumns"):
        delta.open_table(load_settings(), place.as_uri())


def test_a_table_partitioned_by_subject_is_refused(tmp_path):
    place = (tmp_path / "t").as_uri()
    write_deltalake(place, rows(3).select(["subject_id", "label"]), partition_by=["subject_id"])
    with pytest.raises(DataError, match="partitioned by the subject"):
        delta.keep_ids_out_of_log(delta.open_table(load_settings(), place), "subject_id")


def test_a_table_partitioned_by_addresses_is_refused(tmp_path):
    place = (tmp_path / "t").as_uri()
    write_deltalake(place, rows(3).select(["subject_id", "label"]), partition_by=["label"])
    with pytest.raises(DataError, match="partitioned by the column of addresses 'label'"):
        delta.keep_ids_out_of_log(delta.open_table(load_settings(), place), "subject_id", ["label"])


def test_a_version_is_readable_until_its_files_are_purged(table):
    deletion.delete_rows(load_settings(), table, "subject_id", [subject(3)])
    assert delta.is_readable(load_settings(), table, 1)
    deletion.vacuum(load_settings(), table)
    assert not delta.is_readable(load_settings(), table, 1)
    assert not delta.is_readable(load_settings(), table, 99)
    assert delta.is_readable(load_settings(), table, DeltaTable(table).version())


def test_to_ask_whether_there_is_a_table_makes_no_folder(table, tmp_path):
    assert delta.is_table(load_settings(), table)
    assert not delta.is_table(load_settings(), (tmp_path / "away").as_uri())
    assert not (tmp_path / "away").exists()

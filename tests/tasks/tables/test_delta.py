from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from tables import MARK, rows, subject

from tasks.datasets.rows import TableRows, check_columns, to_tensors
from tasks.journal.events.enrollment import DatasetSpec
from tasks.environment.settings import load_settings
from tasks.tables import delta
from unlearning.errors import DataError


@pytest.fixture
def table(tmp_path) -> str:
    place = tmp_path / "t"
    write_deltalake(
        place, rows(60, seed=1), configuration={"delta.dataSkippingStatsColumns": "label"}
    )
    write_deltalake(place, rows(40, first=60, seed=2), mode="append")
    return place.as_uri()


def spec(uri):
    return DatasetSpec(uri=uri, features=("features",), label="label", subject="subject_id")


def bytes_below(uri: str) -> bytes:
    files = [p for p in Path(uri.removeprefix("file://")).rglob("*") if p.is_file()]
    return b"".join(p.read_bytes() for p in files)


def test_erased_rows_are_gone_from_every_byte_and_others_are_untouched(table):
    before = DeltaTable(table).to_pyarrow_table().to_pylist()
    gone = [subject(3), subject(70)]
    delta.delete_rows(load_settings(), table, "subject_id", gone)
    assert delta.leftover_files(load_settings(), table) > 0
    delta.vacuum(load_settings(), table)
    assert delta.leftover_files(load_settings(), table) == 0
    after = DeltaTable(table).to_pyarrow_table()
    kept = [row for row in before if row["subject_id"] not in gone]
    assert sorted(after.to_pylist(), key=str) == sorted(kept, key=str)
    assert not [s for s in gone if s.encode() in bytes_below(table)]
    # delta-rs 1.4 and later write string_view here, which pyarrow cannot filter.
    assert after.schema.field("subject_id").type == pa.string()


@pytest.mark.parametrize("nasty", ["x' OR '1'='1", 'a" OR 1=1 --', "'; DROP TABLE x", "%", "*"])
def test_an_id_cannot_become_part_of_a_query(table, nasty):
    delta.delete_rows(load_settings(), table, "subject_id", [nasty])
    assert DeltaTable(table).count() == 100
    assert delta.count_by_subject(DeltaTable(table), "subject_id", [nasty]) == {}


def test_the_log_of_a_deletion_names_nobody(table):
    delta.delete_rows(load_settings(), table, "subject_id", [subject(3)])
    log = Path(table.removeprefix("file://")) / "_delta_log"
    assert MARK.encode() not in b"".join(p.read_bytes() for p in log.iterdir())


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
    delta.delete_rows(load_settings(), place, "subject_id", asked)
    left = delta.arrow_dataset(delta.open_table(load_settings(), place)).to_table()
    assert sorted(left["subject_id"].to_pylist()) == [0, 1]


def test_a_partition_whose_name_must_be_quoted_is_purged_too(tmp_path):
    place = (tmp_path / "a table").as_uri()
    regions = {"region": ["a b", "c/d", "a b"], "subject_id": ["x", "y", "z"], "n": [1, 2, 3]}
    write_deltalake(place, pa.table(regions), partition_by=["region"])
    delta.delete_rows(load_settings(), place, "subject_id", ["x", "y"])
    delta.vacuum(load_settings(), place)
    assert delta.leftover_files(load_settings(), place) == 0
    assert DeltaTable(place).count() == 1


def test_a_text_column_is_no_feature(table):
    wrong = DatasetSpec(table, ("subject_id",), "label", "subject_id")
    with pytest.raises(DataError, match="must hold numbers"):
        check_columns(load_settings(), wrong, None)


def test_a_missing_table_or_version_is_named(tmp_path, table):
    with pytest.raises(DataError):
        delta.open_table(load_settings(), (tmp_path / "none").as_uri())
    with pytest.raises(DataError):
        delta.open_table(load_settings(), table, 99)


def test_a_stream_of_rows_is_the_table_whatever_the_chunk_size(table):
    for size in (7, 1000):
        found = TableRows(load_settings(), spec(table), 1)
        chunks = list(found.chunks(size))
        assert found.count == sum(len(labels) for _, labels in chunks) == 100
        assert all(len(labels) == size for _, labels in chunks[:-1])


def test_a_stream_without_subjects_has_every_other_row(table):
    gone = [subject(i) for i in (0, 7)]
    left = TableRows(load_settings(), spec(table), 1, without=gone)
    both = TableRows(load_settings(), spec(table), 1, only=gone)
    whole = TableRows(load_settings(), spec(table), 1)
    assert left.count == whole.count - both.count
    kept, gone_rows, every = (
        {tuple(x.tolist()) for inputs, _ in rows.chunks(16) for x in inputs}
        for rows in (left, both, whole)
    )
    assert kept == every - gone_rows


def test_a_pinned_version_still_shows_erased_rows_until_the_vacuum(table):
    delta.delete_rows(load_settings(), table, "subject_id", [subject(3)])
    assert TableRows(load_settings(), spec(table), 1, only=[subject(3)]).count == 1
    assert TableRows(load_settings(), spec(table), None, only=[subject(3)]).count == 0


def test_features_may_be_a_list_or_columns_with_shape_and_scale():
    listed = pa.table({"features": [[0, 255], [255, 0]], "label": [0, 1], "subject_id": ["a", "b"]})
    inputs, labels = to_tensors(
        listed, DatasetSpec("u", ("features",), "label", "subject_id", (1, 2), 255.0)
    )
    assert inputs.tolist() == [[[0.0, 1.0]], [[1.0, 0.0]]]
    assert labels.tolist() == [0, 1]
    columns = pa.table({"x": [1.5, 2.5], "y": [3, 4], "label": [1, 0]})
    assert to_tensors(columns, DatasetSpec("u", ("y", "x"), "label", "s"))[0].tolist() == [
        [3.0, 1.5],
        [4.0, 2.5],
    ]


@pytest.mark.parametrize("features", [[[1], [1, 2]], [[1, 2], None], [[1, None], [1, 2]]])
def test_ragged_or_missing_features_are_refused(features):
    table = pa.table({"features": features, "label": [0, 1]})
    with pytest.raises(DataError):
        to_tensors(table, spec("u"))


ODD = ["a b", 'q"u', "d.o,t", "back`quote", "subject_id"]


@pytest.mark.parametrize("subject_column", ODD)
def test_no_name_of_a_column_brings_ids_into_the_log(tmp_path, subject_column):
    place = tmp_path / "t"
    columns = {name: ["x"] * 2 for name in ODD} | {subject_column: [subject(1), subject(2)]}
    write_deltalake(
        place, pa.table(columns), configuration={"delta.dataSkippingNumIndexedCols": "0"}
    )
    delta.keep_ids_out_of_log(delta.open_table(load_settings(), place.as_uri()), subject_column)
    write_deltalake(place, pa.table(columns), mode="append")
    delta.delete_rows(load_settings(), place.as_uri(), subject_column, [subject(1)])
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


def test_a_change_feed_of_deleted_rows_is_purged(tmp_path):
    place = (tmp_path / "t").as_uri()
    feed = {"delta.enableChangeDataFeed": "true", "delta.dataSkippingStatsColumns": "`label`"}
    write_deltalake(place, rows(5), configuration=feed)
    delta.delete_rows(load_settings(), place, "subject_id", [subject(3)])
    assert subject(3).encode() in bytes_below(place)
    delta.vacuum(load_settings(), place)
    assert delta.leftover_files(load_settings(), place) == 0
    assert subject(3).encode() not in bytes_below(place)


def test_a_table_partitioned_by_subject_is_refused(tmp_path):
    place = (tmp_path / "t").as_uri()
    write_deltalake(place, rows(3).select(["subject_id", "label"]), partition_by=["subject_id"])
    with pytest.raises(DataError, match="partitioned by the subject"):
        delta.keep_ids_out_of_log(delta.open_table(load_settings(), place), "subject_id")


def test_a_version_is_readable_until_its_files_are_purged(table):
    delta.delete_rows(load_settings(), table, "subject_id", [subject(3)])
    assert delta.is_readable(load_settings(), table, 1)
    delta.vacuum(load_settings(), table)
    assert not delta.is_readable(load_settings(), table, 1)
    assert not delta.is_readable(load_settings(), table, 99)
    assert delta.is_readable(load_settings(), table, DeltaTable(table).version())

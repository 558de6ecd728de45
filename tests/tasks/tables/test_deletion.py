"""Rows deleted and their files removed; whoever else's rows there are stay as they were."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from small_tables import MARK, rows, subject

from tasks.environment.settings import load_settings
from tasks.tables import deletion, delta
from unlearning.errors import DataError, TransientError


@pytest.fixture
def table(tmp_path) -> str:
    place = tmp_path / "t"
    write_deltalake(
        place, rows(60, seed=1), configuration={"delta.dataSkippingStatsColumns": "label"}
    )
    write_deltalake(place, rows(40, first=60, seed=2), mode="append")
    return place.as_uri()


def bytes_below(uri: str) -> bytes:
    files = [p for p in Path(uri.removeprefix("file://")).rglob("*") if p.is_file()]
    return b"".join(p.read_bytes() for p in files)


def test_erased_rows_are_gone_from_every_byte_and_others_are_untouched(table):
    before = DeltaTable(table).to_pyarrow_table().to_pylist()
    gone = [subject(3), subject(70)]
    deletion.delete_rows(load_settings(), table, "subject_id", gone)
    assert deletion.leftover_files(load_settings(), table) > 0
    deletion.vacuum(load_settings(), table)
    assert deletion.leftover_files(load_settings(), table) == 0
    after = DeltaTable(table).to_pyarrow_table()
    kept = [row for row in before if row["subject_id"] not in gone]
    assert sorted(after.to_pylist(), key=str) == sorted(kept, key=str)
    assert not [s for s in gone if s.encode() in bytes_below(table)]
    # delta-rs 1.4 and later write string_view here, which pyarrow cannot filter.
    assert after.schema.field("subject_id").type == pa.string()


@pytest.mark.parametrize("nasty", ["x' OR '1'='1", 'a" OR 1=1 --', "'; DROP TABLE x", "%", "*"])
def test_an_id_cannot_become_part_of_a_query(table, nasty):
    deletion.delete_rows(load_settings(), table, "subject_id", [nasty])
    assert DeltaTable(table).count() == 100
    assert delta.count_by_subject(DeltaTable(table), "subject_id", [nasty]) == {}


def test_the_log_of_a_deletion_names_nobody(table):
    deletion.delete_rows(load_settings(), table, "subject_id", [subject(3)])
    log = Path(table.removeprefix("file://")) / "_delta_log"
    assert MARK.encode() not in b"".join(p.read_bytes() for p in log.iterdir())


def test_a_partition_whose_name_must_be_quoted_is_purged_too(tmp_path):
    place = (tmp_path / "a table").as_uri()
    regions = {"region": ["a b", "c/d", "a b"], "subject_id": ["x", "y", "z"], "n": [1, 2, 3]}
    write_deltalake(place, pa.table(regions), partition_by=["region"])
    deletion.delete_rows(load_settings(), place, "subject_id", ["x", "y"])
    deletion.vacuum(load_settings(), place)
    assert deletion.leftover_files(load_settings(), place) == 0
    assert DeltaTable(place).count() == 1


ODD_PARTITIONS = [
    pa.array([*"a/b=c", "%2F", ":", "&#", "{x}", "ü 'quoted'", '"', "a\\b"]),
    pa.array([dt.date(2020, 1, 1 + i % 3) for i in range(12)]),
    pa.array([dt.datetime(2020, 1, 1 + i % 3, 12, 30, 5, 7, tzinfo=dt.UTC) for i in range(12)]),
    pa.array([True, False, None] * 4),
    pa.array([0.1, -0.0, 1e30] * 4),
    pa.array([Decimal("1.20"), Decimal("3.40"), None] * 4),
]


@pytest.mark.parametrize("values", ODD_PARTITIONS, ids=lambda values: str(values.type))
def test_partitions_of_any_type_and_spelling_are_purged(tmp_path, values):
    place = (tmp_path / "t").as_uri()
    table = rows(len(values)).append_column("Part of it", values)
    settings = {"delta.dataSkippingStatsColumns": "label"}
    write_deltalake(place, table, partition_by=["Part of it"], configuration=settings)
    gone = [subject(i) for i in range(0, len(values), 2)]
    deletion.delete_rows(load_settings(), place, "subject_id", gone)
    deletion.vacuum(load_settings(), place)
    assert deletion.leftover_files(load_settings(), place) == 0
    assert not [s for s in gone if s.encode() in bytes_below(place)]
    left = DeltaTable(place).to_pyarrow_table(columns=["subject_id", "Part of it"])
    whole = table.select(["subject_id", "Part of it"]).to_pylist()
    assert sorted(left.to_pylist(), key=str) == sorted(whole[1::2], key=str)


def test_a_subject_column_that_was_added_later_is_the_one_that_counts(tmp_path):
    place = (tmp_path / "t").as_uri()
    settings = {"delta.dataSkippingStatsColumns": "label"}
    write_deltalake(place, rows(5).drop_columns("subject_id"), configuration=settings)
    write_deltalake(place, rows(5, first=5), mode="append", schema_mode="merge")
    deletion.delete_rows(load_settings(), place, "subject_id", [subject(7)])
    deletion.vacuum(load_settings(), place)
    left = DeltaTable(place).to_pyarrow_table()
    assert sorted(left["subject_id"].to_pylist(), key=str) == sorted(
        [None] * 5 + [subject(i) for i in (5, 6, 8, 9)], key=str
    )
    assert subject(7).encode() not in bytes_below(place)


def test_a_column_that_differs_by_case_alone_is_another_one(tmp_path):
    place = (tmp_path / "t").as_uri()
    alike = rows(5).append_column("Subject_ID", pa.array([subject(9)] * 5))
    write_deltalake(place, alike)
    deletion.delete_rows(load_settings(), place, "subject_id", [subject(3), subject(9)])
    left = DeltaTable(place).to_pyarrow_table()
    assert left["subject_id"].to_pylist() == [subject(i) for i in (0, 1, 2, 4)]


def test_a_table_with_a_constraint_keeps_it(tmp_path):
    place = (tmp_path / "t").as_uri()
    write_deltalake(place, rows(5))
    DeltaTable(place).alter.add_constraint({"known": "label >= 0"})
    deletion.delete_rows(load_settings(), place, "subject_id", [subject(3)])
    deletion.vacuum(load_settings(), place)
    assert DeltaTable(place).count() == 4
    assert DeltaTable(place).metadata().configuration["delta.constraints.known"] == "label >= 0"


def test_a_change_feed_of_deleted_rows_is_purged(tmp_path):
    place = (tmp_path / "t").as_uri()
    feed = {"delta.enableChangeDataFeed": "true", "delta.dataSkippingStatsColumns": "`label`"}
    write_deltalake(place, rows(5), configuration=feed)
    deletion.delete_rows(load_settings(), place, "subject_id", [subject(3)])
    assert subject(3).encode() in bytes_below(place)
    deletion.vacuum(load_settings(), place)
    assert deletion.leftover_files(load_settings(), place) == 0
    assert subject(3).encode() not in bytes_below(place)


UTC = dt.UTC
D = Decimal
N = 6
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
    deletion.delete_rows(load_settings(), uri, "a.'\"id", gone)
    after = delta.arrow_dataset(delta.open_table(load_settings(), uri)).to_table()
    assert after.schema == before.schema
    kept = before.take([1, 3, 4, 5])
    assert sorted(map(repr, after.to_pylist())) == sorted(map(repr, kept.to_pylist()))
    own = before.schema.field("v a,l").type
    values = COLUMNS[column].take([1, 3, 4, 5]).cast(own).to_pylist()
    assert sorted(map(repr, after["v a,l"].to_pylist())) == sorted(map(repr, values))


def test_a_deletion_is_found_by_its_mark_with_its_count(table):
    since = DeltaTable(table).version()
    for mark, number in (("mine", 3), ("theirs", 4), ("mine", 5)):
        deletion.delete_rows(load_settings(), table, "subject_id", [subject(number)], mark)
    now = delta.open_table(load_settings(), table)
    assert deletion.deletions(now, "mine", since) == {since + 1: 1, since + 3: 1}
    assert deletion.deletions(now, "mine", since + 1) == {since + 3: 1}
    assert deletion.deletions(now, "mine", since + 3) == {}


def test_a_data_file_that_is_missing_is_an_error_and_no_leftover(table):
    (file, *_) = DeltaTable(table).file_uris()
    Path(file.removeprefix("file://")).unlink()
    with pytest.raises(DataError, match=r"1 data files of the table .* are missing"):
        deletion.leftover_files(load_settings(), table)


def test_rows_that_came_after_the_version_looked_at_are_not_deleted(table):
    seen = DeltaTable(table).version()
    write_deltalake(table, rows(1, first=3, seed=9), mode="append")
    with pytest.raises(TransientError):
        deletion.delete_rows(load_settings(), table, "subject_id", [subject(3)], version=seen)
    assert DeltaTable(table).count() == 101
    deletion.delete_rows(load_settings(), table, "subject_id", [subject(3)], version=seen + 1)
    assert DeltaTable(table).count() == 99

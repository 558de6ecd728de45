import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from small_tables import rows, subject

from tasks.tables.delta import matching
from tasks.tables.row_digests import row_digests

COLUMNS = ("features", "label")


def digests(place, key=b"key", where=None):
    found = row_digests(DeltaTable(place), "subject_id", COLUMNS, key, where)
    return {who: int(digest) for ids, made in found for who, digest in zip(ids, made, strict=True)}


def test_a_row_has_the_same_digest_in_every_file_and_order(tmp_path):
    table = rows(40, seed=1)
    write_deltalake(tmp_path / "one", table)
    write_deltalake(tmp_path / "two", table.slice(25))
    write_deltalake(tmp_path / "two", table.slice(0, 25), mode="append")
    first = digests(tmp_path / "one")
    assert len(first) == len(set(first.values())) == 40
    assert digests(tmp_path / "two") == first
    DeltaTable(tmp_path / "two").optimize.compact()
    assert digests(tmp_path / "two") == first
    assert not set(digests(tmp_path / "one", b"other").values()) & set(first.values())


@pytest.mark.parametrize("column", ["features", "label", "subject_id"])
def test_another_value_is_another_row(tmp_path, column):
    table = rows(2, seed=1)
    other = table.slice(1, 1)[column].combine_chunks()
    if column == "label":
        other = pa.array([1 - table["label"][0].as_py()], pa.int64())
    place = table.schema.get_field_index(column)
    changed = table.slice(0, 1).set_column(place, table.schema.field(place), other)
    write_deltalake(tmp_path / "one", table.slice(0, 1))
    write_deltalake(tmp_path / "two", changed)
    one, two = digests(tmp_path / "one"), digests(tmp_path / "two")
    assert set(one.values()) != set(two.values())


def test_gaps_and_texts_have_digests_too(tmp_path):
    table = pa.table(
        {
            "subject_id": pa.array([1, None, 3]),
            "features": pa.array([[1.5, None], None, [1.5, 2.5]]),
            "label": pa.array(["a", None, "a"]),
        }
    )
    write_deltalake(tmp_path / "t", table)
    assert len(set(digests(tmp_path / "t").values())) == 3


@pytest.mark.parametrize("gap", [None, [None, 2.0]])
def test_a_gap_in_another_row_changes_no_digest(tmp_path, gap):
    def written(name, features):
        ids = pa.array(range(len(features)))
        labels = pa.array([0] * len(features))
        kept = pa.array(features, pa.list_(pa.float64()))
        table = pa.table({"subject_id": ids, "features": kept, "label": labels})
        write_deltalake(tmp_path / name, table)
        return digests(tmp_path / name)

    alone = written("alone", [[1.5, 2.5]])
    beside = written("beside", [[1.5, 2.5], gap])
    assert beside["0"] == alone["0"]
    assert beside["1"] != beside["0"]


def test_only_the_rows_asked_for_are_read(tmp_path):
    write_deltalake(tmp_path / "t", rows(40, seed=1))
    table = DeltaTable(tmp_path / "t")
    found = digests(tmp_path / "t", where=matching(table, "subject_id", [subject(3)]))
    assert list(found) == [subject(3)]
    assert digests(tmp_path / "t", where=matching(table, "subject_id", ["nobody"])) == {}

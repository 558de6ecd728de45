import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import given
from hypothesis import strategies as st

from tasks.tables.spellings import loose_forms, rows_by_id
from unlearning.policy.spelling import loose_form

LETTERS = st.one_of(
    st.sampled_from("0123456789aefAEF.-_+@{}'\"= ,:ü"), st.characters(codec="utf-8")
)


@given(st.lists(st.text(LETTERS, min_size=1, max_size=36), min_size=1, max_size=20))
def test_arrow_gives_every_id_the_form_that_python_gives_it(ids):
    assert loose_forms(pa.array(ids, pa.string())).to_pylist() == [loose_form(one) for one in ids]


@pytest.mark.parametrize(
    "odd",
    [
        "550E8400-e29b-41d4-a716-446655440000",
        "550e8400e29b41d4a716446655440000",
        "5-50E8400e29b41d4a71644665544000-0",
        "1" * 32,
        "0" * 32,
        "-0",
        "00",
        "-17",
        "1e3",
        "1_003",
        "+17",
        "jane+tag@example.org",
        "JDoe@Example.org",
        "1.003",
        "ä",
        "K",
        "\u212a",
        "a\nb",
        "17\n",
    ],
)
def test_so_it_does_where_a_plain_look_would_mislead(odd):
    assert loose_forms(pa.array([odd, "x"], pa.string())).to_pylist() == [loose_form(odd), "x"]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_rows_of_every_spelling_are_counted_by_the_id_that_they_have(tmp_path, kind):
    ids = ["JDoe@example.org", "jdoe@example.org", "jdoe@example.org", "0042", "other", None]
    write_deltalake(tmp_path, pa.table({"id": pa.array(ids, kind)}))
    write_deltalake(tmp_path, pa.table({"id": pa.array(["42 "], kind)}), mode="append")
    table = DeltaTable(tmp_path)
    assert rows_by_id(table, "id", {"jdoe@example.org"}) == {
        "JDoe@example.org": 1,
        "jdoe@example.org": 2,
    }
    assert rows_by_id(table, "id", ["42", "nobody"]) == {"0042": 1, "42 ": 1}
    assert rows_by_id(table, "id", []) == {}


def test_in_a_column_of_whole_numbers_a_form_is_a_number_or_nobody(tmp_path):
    write_deltalake(tmp_path, pa.table({"id": pa.array([17, 17, -3, 100], pa.int64())}))
    table = DeltaTable(tmp_path)
    assert rows_by_id(table, "id", {"17", "-3", "abc", "1.5", "9" * 30}) == {"17": 2, "-3": 1}

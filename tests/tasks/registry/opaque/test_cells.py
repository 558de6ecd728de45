"""Rows come out of a tensor as they went in, whatever columns they have."""

from datetime import UTC, date, datetime

import pyarrow as pa
import pytest
import torch

from tasks.registry.opaque import cells
from tasks.registry.opaque.cells import cell_types, decoded, encoded
from unlearning.errors import DataError, UnfitRowsError

NOON = datetime(2026, 11, 30, 12, 0, 1, tzinfo=UTC)
TABLE = pa.table(
    {
        "job": ["baker", None, "ärztin", ""],
        "age": pa.array([41, 7, None, -1], pa.int32()),
        "wage": [1.5, None, 2.25, float("inf")],
        "half": pa.array([0.5, 1.0, None, 2.0], pa.float32()),
        "member": [True, False, None, True],
        "born": [date(1980, 2, 29), None, date(2001, 1, 1), date(1890, 5, 5)],
        "seen": pa.array([NOON, None, NOON, NOON], pa.timestamp("us", "UTC")),
    }
)
LISTS = pa.table({"x": pa.array([[1, 2], [3, 4]], pa.list_(pa.int8()))})


def test_columns_of_every_type_come_back():
    types = cell_types(TABLE.schema, TABLE.column_names)
    rows = encoded(TABLE, TABLE.column_names, types)
    assert rows.shape == (4, 7)
    assert rows.dtype == torch.float64
    assert decoded(rows, TABLE.column_names, types).equals(TABLE)


def test_one_list_comes_back_with_its_type():
    types = cell_types(LISTS.schema, ["x"])
    rows = encoded(LISTS, ["x"], types)
    found = decoded(rows, ["x"], types)["x"]
    assert rows.tolist() == [[1, 2], [3, 4]]
    assert found.type == pa.list_(pa.int8(), 2)
    assert found.to_pylist() == [[1, 2], [3, 4]]


def test_a_text_has_the_same_number_everywhere():
    one = encoded(pa.table({"a": ["x", "y"]}), ["a"], ["string"])
    other = encoded(pa.table({"a": pa.array(["y"], pa.large_string())}), ["a"], ["string"])
    assert one[1] == other[0]
    assert one.max() < 2**52


def test_texts_of_one_number_are_refused(monkeypatch):
    code = int(encoded(pa.table({"a": ["x"]}), ["a"], ["string"])[0])
    monkeypatch.setattr(cells, "_texts", {code: "another"})
    with pytest.raises(UnfitRowsError, match="Two different texts"):
        encoded(pa.table({"a": ["x"]}), ["a"], ["string"])


def test_a_number_that_stands_for_no_text_is_refused():
    with pytest.raises(UnfitRowsError, match="changed on its way"):
        decoded(torch.tensor([[12345.0]]), ["a"], ["string"])


def test_whole_numbers_that_would_lose_digits_are_refused():
    table = pa.table({"id": [2**53 + 1]})
    with pytest.raises(UnfitRowsError, match="beyond 2"):
        encoded(table, ["id"], ["int64"])


def test_lists_of_different_lengths_are_refused():
    ragged = pa.table({"x": [[1, 2], [3]]})
    with pytest.raises(UnfitRowsError, match="differ in length"):
        encoded(ragged, ["x"], ["list<int64>"])


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("list<int64>", pa.array([[1, None], [2, 3]])),
        ("list<bool>", pa.array([[True, None], [True, False]])),
        ("list<int8>", pa.array([[1.0, float("nan")], [2.0, 3.0]])),
    ],
    ids=["whole", "truth", "whole once"],
)
def test_lists_that_lack_a_whole_number_are_refused(kind, values):
    with pytest.raises(UnfitRowsError, match="lacks a number"):
        encoded(pa.table({"x": values}), ["x"], [kind])


def test_lists_of_fractions_may_lack_some():
    rows = encoded(pa.table({"x": [[1.5, None]]}), ["x"], ["list<double>"])
    assert decoded(rows, ["x"], ["list<double>"])["x"].to_pylist()[0][0] == 1.5
    assert rows.isnan().tolist() == [[False, True]]


def test_lists_of_whole_numbers_that_would_lose_digits_are_refused():
    with pytest.raises(UnfitRowsError, match="beyond 2"):
        encoded(pa.table({"x": [[2**53 + 1]]}), ["x"], ["list<int64>"])


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        (pa.schema({"a": pa.binary()}), "must hold numbers, text"),
        (pa.schema({"a": pa.list_(pa.int8()), "b": pa.int8()}), "one list column"),
        (pa.schema({"a": pa.list_(pa.string())}), "must hold numbers, text"),
    ],
    ids=["bytes", "mixture", "texts"],
)
def test_columns_that_are_not_carried_are_refused(schema, why):
    with pytest.raises(DataError, match=why):
        cell_types(schema, schema.names)


def test_no_rows_are_no_rows():
    table = TABLE.slice(0, 0)
    types = cell_types(TABLE.schema, TABLE.column_names)
    assert len(encoded(table, TABLE.column_names, types)) == 0

"""Ids of people in every type that a table's subject column may have."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from tasks.environment.settings import load_settings
from tasks.tables import absence_scan, deletion, delta, row_digests, spellings, subject_ids
from unlearning.policy.spelling import loose_form

KEY = bytes(32)
LARGE = "12345678901234567890"
FIFTH, SIXTH = UUID(int=5), UUID(int=6)
NUMBERS, SINGLE = pa.decimal128(20, 10), "0.10000000149011612"
COLUMNS = {
    "text": (["007", "7", None], pa.string(), "007", ["0007", "07"]),
    "whole": ([7, -3, None], pa.int32(), "7", ["007", "7.0", "+7"]),
    "decimal": ([Decimal(LARGE), Decimal(7), None], pa.decimal128(20, 0), LARGE, [f"{LARGE}.0"]),
    "cents": ([Decimal("7.50"), Decimal(7), None], pa.decimal128(9, 2), "7.5", ["7.50", "07.5"]),
    "small": ([Decimal("1E-10"), Decimal(7), None], NUMBERS, "0.0000000001", ["1E-10"]),
    "date": ([date(1980, 1, 2), date(1, 1, 1), None], pa.date32(), "1980-01-02", ["19800102"]),
    "uuid": ([FIFTH.bytes, SIXTH.bytes, None], pa.binary(), str(FIFTH), [FIFTH.hex]),
    "fixed": ([FIFTH.bytes, SIXTH.bytes, None], pa.binary(16), str(FIFTH), ["5"]),
    "bytes": ([b"\x00\xab", b"\x00", None], pa.binary(), "00ab", ["00AB", "0ab", "00-ab"]),
    "float": ([7.0, 1.5, None], pa.float64(), "7", ["7.0", "007", "nan", "inf", "1_0"]),
    "fraction": ([1.5, float("nan"), None], pa.float64(), "1.5", ["1.50", "15e-1"]),
    "single": ([0.1, 7.0, None], pa.float32(), SINGLE, ["0.1"]),
}
"""Values and type of a column, an id that is the first value's text, and others that are not."""


@pytest.fixture(params=COLUMNS)
def case(request, tmp_path):
    values, kind, asked, others = COLUMNS[request.param]
    table = pa.table({"who": pa.array(values, kind), "label": [0, 1, 0]})
    write_deltalake(tmp_path / "t", table)
    return (tmp_path / "t").as_uri(), asked, others


def test_an_id_of_any_type_names_its_rows_and_no_others(case):
    place, asked, others = case
    table = delta.open_table(load_settings(), place)
    assert delta.count_by_subject(table, "who", [asked, *others, "somebody"]) == {asked: 1}
    assert delta.count_rows(table, ~delta.matching(table, "who", [asked])) == 2
    kind = delta.arrow_schema(table).field("who").type
    assert [one for one in (asked, *others, "") if subject_ids.can_hold(kind, one)] in (
        [asked],
        [asked, *others, ""],  # text
    )


def test_rows_of_an_id_of_any_type_are_deleted_and_proven_absent(case):
    place, asked, others = case
    settings = load_settings()
    assert absence_scan.search(settings, place, "who", {asked}).hits
    deletion.delete_rows(settings, place, "who", [asked, *others])
    assert DeltaTable(place).count() == 2
    deletion.vacuum(settings, place)
    assert absence_scan.search(settings, place, "who", {asked}).hits == []


def test_an_id_of_any_type_is_the_same_text_wherever_it_is_read(case):
    place, asked, _ = case
    assert isinstance(asked, str)
    table = delta.open_table(load_settings(), place)
    ((ids, _),) = row_digests.row_digests(table, "who", ["label"], KEY)
    assert asked in ids
    assert ids[2] is None
    forms = {loose_form(asked)}
    assert spellings.rows_by_id(table, "who", forms).get(asked) == 1


def test_a_number_that_is_missing_is_nobody(tmp_path):
    assert subject_ids.id_texts(pa.array([float("nan"), None, 2.0])) == [None, None, "2"]


@pytest.mark.parametrize(
    ("column", "why"),
    [
        (pa.array([True]), "true or false"),
        (pa.array([datetime(2026, 1, 2)]), "holds times"),  # noqa: DTZ001
        (pa.array([[1]]), "several values"),
        (pa.array([{"id": 1}]), "several values"),
        (pa.nulls(1), "no one spelling"),
    ],
)
def test_a_column_that_names_nobody_is_refused_with_its_reason(column, why):
    assert why in subject_ids.why_no_subject(column.type)


@pytest.mark.parametrize("name", COLUMNS)
def test_every_type_with_one_spelling_can_name_people(name):
    assert subject_ids.why_no_subject(COLUMNS[name][1]) == ""


@pytest.mark.parametrize("kind", [pa.int64(), pa.decimal128(9, 2), pa.float64(), pa.float32()])
def test_a_zero_below_zero_is_no_id(kind):
    assert subject_ids.can_hold(kind, "0")
    assert not [one for one in ("-0", "-0.0", "-0e5") if subject_ids.can_hold(kind, one)]

from datetime import UTC, datetime

import pytest

from tasks.intake.columns import columns, may_own_its_id
from tasks.intake.kept_rows import Record
from tasks.intake.legal_holds import Register
from tasks.intake.request_files import RawRow
from unlearning.policy.digests import pseudonym
from unlearning.policy.spelling import loose_pseudonym
from unlearning.policy.subject_kinds import kind_pseudonym

KEY = b"k" * 32
LIMIT = datetime(2026, 1, 3, tzinfo=UTC)
NOBODY = Register(frozenset(), frozenset())
SOUND = {"request_id": "R-1", "subject_id": "person-1", "received_at": "2026-01-02T03:04:05Z"}


def looked_at(problem="", held=(), kinds=(), **changes):
    held = Register(frozenset(("", loose_pseudonym(KEY, one)) for one in held), frozenset())
    fields = {name: value for name, value in (SOUND | changes).items() if value is not None}
    return columns(Record("f-000001", RawRow(1, fields, problem)), held, LIMIT, KEY, kinds)


def test_a_sound_record_has_its_fields_as_text_and_its_subject_as_a_pseudonym():
    row = looked_at(subject_id=17, ground="b")
    assert (row["request_id"], row["subject_id"], row["ground"]) == ("R-1", "17", "b")
    assert row["subject"] == pseudonym(KEY, "17")
    assert may_own_its_id(row)


@pytest.mark.parametrize(
    ("changes", "column"),
    [
        ({"problem": "the entry is not a JSON object"}, "readable"),
        ({"colour": "red"}, "known_fields"),
        ({"request_id": "case-person-1"}, "ids_apart"),
        ({"received_at": "yesterday"}, "received_readable"),
        ({"received_at": "2026-01-02T03:04:05"}, "received_readable"),
        ({"received_at": "2026-01-03T00:00:01Z"}, "received_past"),
        ({"received_at": "0206-01-02T03:04:05Z"}, "received_since_law"),
    ],
)
def test_what_is_wrong_with_a_record_stands_in_its_column_and_costs_it_its_id(changes, column):
    assert looked_at()[column]
    row = looked_at(**changes)
    assert not row[column]
    assert not may_own_its_id(row)


def test_a_hold_is_no_flaw():
    row = looked_at(held=["person-1"])
    assert not row["not_held"]
    assert may_own_its_id(row)


@pytest.mark.parametrize("spelling", ["Person-1", "{person-1}", "mailto:person-1", " person-1"])
def test_a_hold_protects_its_subject_however_it_spells_the_id(spelling):
    assert not looked_at(held=[spelling])["not_held"]


def test_one_id_has_another_pseudonym_in_every_kind_and_the_same_spelling():
    one, other = looked_at(), looked_at(subject_kind="employee")
    assert one["subject"] == pseudonym(KEY, "person-1")
    assert other["subject"] == kind_pseudonym(KEY, "employee", "person-1") != one["subject"]
    assert one["spelling"] == other["spelling"]


@pytest.mark.parametrize("kind", [7, ["person"], "Person", "", "customer"])
def test_a_kind_that_no_table_has_is_not_taken_for_another_one(kind):
    assert looked_at(kinds=["person"])["kind_known"]
    row = looked_at(kinds=["person"], subject_kind=kind)
    assert not row["kind_known"]
    assert not may_own_its_id(row)


def test_a_ground_that_is_no_text_is_not_taken_for_none():
    assert looked_at()["ground"] is None
    assert looked_at(ground=["a"])["ground"] == ""
    assert not may_own_its_id(looked_at(ground=["a"]))


def test_a_moment_that_is_a_value_of_its_own_becomes_text():
    moment = datetime(2026, 1, 2, 3, tzinfo=UTC)
    assert looked_at(received_at=moment)["received_at"] == "2026-01-02T03:00:00+00:00"


def test_ids_of_an_unusable_record_are_not_repeated():
    assert not looked_at(subject_id=" padded ")["named"]
    assert not looked_at(request_id="has space")["named"]
    assert looked_at(ground="z")["named"]


@pytest.mark.parametrize(
    ("says", "came", "counts"),
    [
        ("2026-01-02T03:04:05Z", "2026-01-02T09:00:00+00:00", "2026-01-02T03:04:05Z"),
        ("2026-01-02T23:04:05Z", "2026-01-02T09:00:00+00:00", "2026-01-02T09:00:00+00:00"),
        ("2026-01-02T12:00:00+14:00", "2026-01-02T09:00:00+00:00", "2026-01-02T12:00:00+14:00"),
        ("2026-01-02T23:04:05Z", "1970-01-01T00:00:01+00:00", "2026-01-02T23:04:05Z"),
        ("2026-01-02T23:04:05Z", "", "2026-01-02T23:04:05Z"),
    ],
)
def test_a_request_counts_as_received_no_later_than_its_file_came(says, came, counts):
    record = Record("f-000001", RawRow(1, SOUND | {"received_at": says}), came)
    assert columns(record, NOBODY, LIMIT, KEY)["received_at"] == counts

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unlearning.policy.retirement import (
    OldVersion,
    RowsLeft,
    WeightsCame,
    plan_retirement,
    purge_day,
    remembering,
)

TODAY = date(2026, 3, 1)
DUE = OldVersion(1, "it remembers the rows of batch b-1", purge_on=TODAY)


def verbs(*versions, today=TODAY):
    return {a.version: a.verb for a in plan_retirement(versions, today=today)}


def test_versions_remember_what_left_the_model_after_they_came():
    history = [
        WeightsCame(1, "a"),
        RowsLeft("b-1"),
        WeightsCame(2, "b"),
        RowsLeft("b-2"),
        WeightsCame(3, "c"),
    ]
    assert remembering(history) == {1: "b-1", 2: "b-2"}
    assert remembering(history[:1]) == {}


def test_old_weights_under_a_new_number_remember_as_well():
    history = [WeightsCame(1, "a"), RowsLeft("b-1"), WeightsCame(2, "b"), WeightsCame(7, "a")]
    assert remembering(history) == {1: "b-1", 7: "b-1"}


def test_a_version_trained_without_the_rows_does_not_remember():
    # Withdrawn, then trained anew.
    assert remembering([WeightsCame(1, "a"), RowsLeft("b-1"), WeightsCame(2, "z")]) == {1: "b-1"}


@pytest.mark.parametrize(
    ("changes", "verb"),
    [
        ({}, "purge"),
        ({"purge_on": None}, "retire"),
        ({"purge_on": TODAY + timedelta(days=1)}, "wait"),
        ({"needed": "batch b-2 is not closed"}, "keep"),
        ({"is_champion": True}, "alarm"),
        ({"is_champion": True, "purge_on": None}, "alarm"),
        ({"is_purged": True}, "none"),
    ],
)
def test_each_state_has_its_action(changes, verb):
    facts = {"version": 1, "why": "it remembers", "purge_on": TODAY}
    assert verbs(OldVersion(**(facts | changes))) == {1: verb}


def test_the_reason_says_what_keeps_a_version():
    (action,) = plan_retirement([OldVersion(1, "w", purge_on=TODAY, needed="a hold")], today=TODAY)
    assert action.reason == "a hold"


def test_shared_files_go_together_or_not_at_all():
    one, two = (
        OldVersion(1, "", purge_on=TODAY, shares_with=(2,)),
        OldVersion(2, "", purge_on=TODAY),
    )
    assert verbs(one, two) == {1: "purge", 2: "purge"}
    assert verbs(one, OldVersion(2, "", purge_on=TODAY, is_champion=True))[1] == "keep"
    assert verbs(one, OldVersion(2, "", purge_on=TODAY, is_purged=True))[1] == "purge"


def test_the_grace_period_is_counted_in_whole_days():
    assert purge_day(date(2026, 1, 31), 30, 60) == date(2026, 3, 2)
    assert verbs(OldVersion(1, "", purge_on=purge_day(TODAY, 0, 30))) == {1: "purge"}


def test_a_purge_comes_before_the_requests_are_due_whatever_the_grace_period():
    due = TODAY + timedelta(days=20)
    assert purge_day(TODAY, 30, 20) == purge_day(TODAY, 400, 20) == due - timedelta(days=1)
    assert purge_day(TODAY, 5, 20) == TODAY + timedelta(days=5)


@pytest.mark.parametrize("days_left", [1, 0, -5])
def test_a_version_has_a_day_of_grace_also_where_requests_are_due_or_overdue(days_left):
    assert purge_day(TODAY, 30, days_left) == TODAY + timedelta(days=1)
    assert purge_day(TODAY, 0, days_left) == TODAY


@given(
    st.lists(
        st.builds(
            OldVersion,
            version=st.integers(1, 9),
            why=st.just("w"),
            is_champion=st.booleans(),
            purge_on=st.one_of(st.none(), st.dates(TODAY - timedelta(9), TODAY + timedelta(9))),
            is_purged=st.booleans(),
            needed=st.sampled_from(["", "a hold"]),
            shares_with=st.lists(st.integers(1, 9), max_size=2).map(tuple),
        ),
        unique_by=lambda v: v.version,
        max_size=6,
    )
)
def test_nothing_is_purged_that_is_served_needed_or_not_due(versions):
    by_number = {v.version: v for v in versions}
    for action in plan_retirement(versions, today=TODAY):
        if action.verb != "purge":
            continue
        version = by_number[action.version]
        assert not version.is_champion
        assert not version.needed
        assert version.purge_on is not None
        assert version.purge_on <= TODAY
        others = [
            by_number[n] for n in version.shares_with if n in by_number and n != action.version
        ]
        assert all(o.is_purged or (o.purge_on and not o.is_champion) for o in others)

"""What follows where no rung is enough, and how people are told of it in time."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from unlearning.config.gate_policy import GatePolicy
from unlearning.policy.last_resort import (
    StillRemembered,
    alarm,
    what_follows,
    what_helps,
    withdrawal_day,
)

RECEIVED, DUE = date(2026, 11, 2), date(2026, 12, 2)
ROWS = StillRemembered(
    model="income",
    version=3,
    rows=80,
    reason="No rung was enough (cannot decide: attack_power).",
    received=RECEIVED,
    due=DUE,
)
ASK = GatePolicy()
WITHDRAW = GatePolicy(last_resort="withdraw")
LATER = GatePolicy(last_resort="retrain-later")


def told(days_left, policy=ASK, one=ROWS):
    return alarm(policy, one, DUE - timedelta(days=days_left))


def test_nobody_is_withdrawn_who_chose_nothing():
    assert ASK.last_resort == "ask"
    assert what_follows(ASK, DUE) == (
        "The model stays in service and its requests stay open until somebody decides."
    )


def test_what_the_owner_chose_is_said_with_its_day():
    assert withdrawal_day(WITHDRAW, DUE) == date(2026, 11, 29)
    assert what_follows(WITHDRAW, DUE).startswith(
        "From 2026-11-29 on the model is taken out of service, as its owner chose"
    )
    assert "until its owner has trained it anew" in what_follows(LATER, DUE)
    assert "train it anew on a copy" in what_helps(LATER)


def test_people_are_called_from_half_of_the_time_on():
    assert told(30) == told(16) == ""
    assert told(15).startswith("income version 3 still remembers 80 rows that must be erased by")
    assert "15 days are left" in told(15)


def test_the_words_get_sharper_as_the_day_comes_near_and_passes():
    assert not told(4).startswith("URGENT")
    assert told(3).startswith("URGENT: income version 3")
    assert "1 day is left" in told(1)
    assert told(0).startswith("URGENT")
    assert told(-1).startswith("OVERDUE by 1 day: income version 3 still remembers 80 rows")
    assert told(-40).startswith("OVERDUE by 40 days")


@pytest.mark.parametrize("policy", [ASK, WITHDRAW, LATER])
@pytest.mark.parametrize("days_left", [10, 2, -5])
def test_every_alarm_names_model_rows_reason_and_what_would_help(policy, days_left):
    said = told(days_left, policy)
    for part in ("income", "80 rows", ROWS.reason, what_follows(policy, DUE), what_helps(policy)):
        assert part in said


def test_what_the_reason_says_already_is_not_said_twice():
    follows = what_follows(ASK, DUE)
    one = replace(ROWS, reason=f"No rung was enough. {follows}")
    assert told(2, one=one).count(follows) == 1

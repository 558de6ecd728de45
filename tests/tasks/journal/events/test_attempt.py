from dataclasses import replace

import pytest
from factories import attempt

from tasks.journal.events.attempt import Attempt, AttemptIds


def test_equal_plans_are_one_attempt_and_any_change_makes_another():
    assert attempt() == attempt()
    changes = [
        {"forget_count": 6},
        {"rung": "stronger"},
        {"method": "retrain"},
        {"class_share": 0.5},
        {"reason": "because"},
        {"batch": "b-2"},
    ]
    keys = {attempt(**change).key for change in changes} | {attempt().key}
    assert len(keys) == len(changes) + 1
    assert all(key.startswith("a-") for key in keys)


@pytest.mark.parametrize(
    ("change", "is_same"),
    [
        ({"rung": "retrain", "method": "retrain", "reason": "suspected"}, True),
        ({"holdout_version": 3}, True),
        ({"class_share": 0.4}, True),
        ({"forget_digest": "other rows"}, False),
        ({"parent_digest": "other weights"}, False),
        ({"config_digest": "other limits"}, False),
    ],
)
def test_who_approves_a_plan_approves_its_whole_ladder_and_nothing_else(change, is_same):
    assert (attempt(**change).plan_digest == attempt().plan_digest) is is_same


def test_attempts_on_the_same_parent_and_rows_forget_alike():
    first = attempt()
    assert first.forgets_as(attempt(method="retrain", rung="retrain"))
    assert not first.forgets_as(attempt(parent_digest="d2"))
    assert not first.forgets_as(attempt(forget_digest="g"))
    assert not first.forgets_as(attempt(model="other"))


def test_ids_are_the_attempts_own_and_differ():
    ids = AttemptIds("a-1")
    found = [
        ids.planned, ids.planned_again(1), ids.planned_again(2), ids.unlearned, ids.evaluated,
        ids.judged, ids.registered, ids.promoted, ids.withdrawn, ids.blocked, ids.measured,
        ids.timed, ids.chosen("retrain"), ids.chosen("wait"), ids.failed("x"), ids.failed("y"),
        ids.out_of_memory("make"),
    ]  # fmt: skip
    assert len(set(found)) == len(found)
    assert all(one.startswith("a-1/") for one in found)
    assert ids.planned_again(0) == ids.planned
    assert attempt(key="a-1").ids == ids


def test_a_reason_does_not_stand_in_the_id_of_its_failure():
    assert "secret" not in AttemptIds("a-1").failed("the secret reason")


def test_a_key_of_ones_own_is_kept():
    made = attempt(key="a-7")
    assert isinstance(made, Attempt)
    assert replace(made, rung="stronger").key == "a-7"

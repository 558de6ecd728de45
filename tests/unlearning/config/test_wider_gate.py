"""Which way each limit of the gate is wider, and which gates see nothing."""

from dataclasses import fields, replace

import pytest

from unlearning.config.gate_policy import GatePolicy
from unlearning.config.wider_gate import why_blind, wider

DEFAULT = GatePolicy()
NO_LIMIT = {"reference_rows", "withdraw_days", "last_resort"}
"""What decides how long something takes, or when it is given up."""
WIDER = {
    "max_mia_auc": 0.7,
    "min_mia_auc": 0.3,
    "remaining_share": 0.5,
    "false_alarm": 0.001,
    "min_power": 0.5,
    "min_class_rows": 60,
    "min_slice_rows": 60,
    "references": 0,
    "undecided": "accept",
}
CHANGED = {
    field.name: WIDER.get(field.name, 0.9)
    for field in fields(GatePolicy)
    if field.name not in NO_LIMIT | {"require_canaries"}
}


@pytest.mark.parametrize("name", CHANGED)
def test_each_limit_is_wider_one_way_and_not_the_other(name):
    wide = replace(DEFAULT, **{name: CHANGED[name]})
    (said,) = wider(wide, than=DEFAULT)
    assert name == "undecided" or said.startswith(f"{name} ")
    assert wider(DEFAULT, than=wide) == ()
    assert wider(DEFAULT, than=DEFAULT) == ()


def test_a_limit_is_told_with_both_its_values():
    (said,) = wider(replace(DEFAULT, max_mia_auc=0.7), than=DEFAULT)
    assert said == "max_mia_auc 0.7 instead of 0.55"


def test_whoever_no_longer_asks_for_canaries_widens_the_gate():
    assert wider(DEFAULT, than=replace(DEFAULT, require_canaries=True)) == ("no canaries required",)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"max_mia_auc": 1.0, "remaining_share": 1.0}, "passes that forgot nothing"),
        ({"min_power": 0.0}, "a test passes that shows nothing"),
        ({"min_power": 0.01}, "a test passes that shows nothing"),
    ],
)
def test_a_gate_that_sees_nothing_is_told_why(changes, said):
    assert said in why_blind(replace(DEFAULT, **changes))


@pytest.mark.parametrize(
    "changes", [{}, {"max_mia_auc": 1.0}, {"remaining_share": 1.0}, {"references": 0}]
)
def test_a_gate_that_is_wide_still_sees(changes):
    assert why_blind(replace(DEFAULT, **changes)) == ""

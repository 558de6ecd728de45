"""What a request would end in is told before there is one."""

import pytest

from unlearning.config.gate_policy import GatePolicy
from unlearning.policy.prospects import prospect

NO_MODE = "The model was exported with dropout."


def ending(power, *, method="calibrated", obstacle="", auc=None, **policy):
    rules = GatePolicy(**policy)
    return prospect(10, power, method=method, policy=rules, obstacle=obstacle, auc=auc).ending


def test_where_the_attack_sees_an_update_is_judged_and_a_retrain_follows():
    assert ending(0.9) == "Erased by an update, if the gate passes it; else a retrain follows."


def test_where_the_attack_cannot_decide_a_retrain_is_made():
    assert ending(0.79).startswith("Erased by a retrain, because the attack cannot decide")
    assert "cannot judge" in ending(0.79, undecided="accept")


@pytest.mark.parametrize("power", [0.1, 0.9])
def test_where_no_retrain_can_be_made_the_end_of_the_ladder_is_told(power):
    said = ending(power, obstacle=NO_MODE, last_resort="withdraw", withdraw_days=5)
    assert "waits for people" in said
    assert "from 5 days before the request is due the model is taken out of service" in said
    later = ending(power, obstacle=NO_MODE, last_resort="retrain-later")
    assert "until its owner has trained" in later
    assert "the model stays in service" in ending(power, obstacle=NO_MODE)


def test_a_retrain_needs_no_attack():
    assert ending(None, method="retrain") == "Erased by a retrain."
    assert "No candidate can be made" in ending(None, method="retrain", obstacle=NO_MODE)


def test_without_a_power_it_is_told_what_follows_if_the_attack_cannot_judge():
    assert "whose power is not known yet" in ending(None)
    assert ending(None).endswith("else a retrain follows.")
    assert "else it waits for people" in ending(None, obstacle=NO_MODE)


def test_of_a_model_that_gives_little_away_controls_may_show_that_nothing_is_left():
    said = ending(0.1, auc=0.55)
    assert said.endswith("if controls show that nothing is left to see; else a retrain follows.")
    assert "waits for people" in ending(0.1, auc=0.55, obstacle=NO_MODE)
    assert "nothing is left" not in ending(0.1, auc=0.65)
    assert "nothing is left" not in ending(0.1, auc=0.55, nothing_left_auc=0.5)

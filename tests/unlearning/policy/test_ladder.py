from dataclasses import replace

import pytest

from unlearning.config.gate_policy import GatePolicy
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.gate.gate import GateDecision, no_candidate
from unlearning.gate.gate_checks import Check
from unlearning.policy.ladder import next_rung, stronger

POLICY = GatePolicy(withdraw_days=3, last_resort="withdraw")


def rejected(outcome, *names):
    checks = tuple(
        Check(name=name, value=1.0, lower=None, upper=0.0, passed=False, meaning="No.")
        for name in names
    )
    return GateDecision(passed=False, checks=checks, outcome=outcome)


REMEMBERED = rejected("remembered", "mia_auc_upper")
CASES = [
    # rung, method, decision, next rung
    ("update", "calibrated", REMEMBERED, "stronger"),
    ("update", "published_step", REMEMBERED, "stronger"),
    ("stronger", "calibrated", REMEMBERED, "retrain"),
    ("update", "calibrated", rejected("over-forgotten", "mia_auc_lower"), "retrain"),
    ("update", "calibrated", rejected("cannot decide", "attack_power"), "retrain"),
    ("update", "calibrated", rejected("forgotten", "holdout_accuracy_loss"), "retrain"),
    ("update", "calibrated", rejected("forgotten", "possible_holdout_loss"), "retrain"),
    (
        "update",
        "calibrated",
        rejected("remembered", "class_accuracy_loss", "mia_auc_upper"),
        "retrain",
    ),
    ("retrain", "retrain", rejected("forgotten", "holdout_accuracy_loss"), "wait"),
    ("update", "retrain", rejected("forgotten", "holdout_accuracy_loss"), "wait"),
]


@pytest.mark.parametrize(("rung", "method", "decision", "expected"), CASES)
def test_each_failure_has_its_next_rung(rung, method, decision, expected):
    step = next_rung(rung, method, decision, POLICY, days_left=20)
    assert step.rung == expected
    assert f"{decision.outcome}: no" in step.reason
    assert decision.failed_names[0] not in step.reason  # names are for machines
    assert step.reason.endswith(".")


@pytest.mark.parametrize(("rung", "method", "decision", "_"), CASES)
def test_the_ladder_ends_in_erasure_where_the_owner_chose_so(rung, method, decision, _):
    """Whatever fails on each rung, a model that is overdue ends without its alias."""
    taken = []
    while rung != "withdraw":
        step = next_rung(rung, method, decision, POLICY, days_left=3)
        rung, method = step.rung, step.method
        taken.append(rung)
        assert len(taken) <= 3
    assert "wait" not in taken


@pytest.mark.parametrize(("days", "expected"), [(4, "wait"), (3, "withdraw"), (-5, "withdraw")])
def test_people_are_called_until_the_due_date_is_near(days, expected):
    step = next_rung("retrain", "retrain", REMEMBERED, POLICY, days_left=days)
    assert (step.rung, step.method) == (expected, "")


@pytest.mark.parametrize("policy", [GatePolicy(), GatePolicy(last_resort="retrain-later")])
@pytest.mark.parametrize(("rung", "method", "decision", "_"), CASES)
def test_nobody_who_did_not_choose_it_loses_a_model(rung, method, decision, _, policy):
    for days in (20, 3, -40):
        step = next_rung(rung, method, decision, policy, days_left=days, obstacle="It is frozen.")
        assert step.rung in ("wait", "stronger")


def test_a_model_that_cannot_be_trained_anew_skips_that_rung():
    decision = rejected("over-forgotten", "mia_auc_lower")
    step = next_rung(
        "update", "calibrated", decision, POLICY, days_left=9, obstacle="It is frozen."
    )
    assert step.rung == "wait"
    assert step.reason.endswith("It was not retrained: It is frozen.")
    late = next_rung("update", "calibrated", decision, POLICY, days_left=3, obstacle="Too late.")
    assert late.rung == "withdraw"
    assert late.reason.endswith("3 days are left. It was not retrained: Too late.")
    tried = next_rung("retrain", "retrain", decision, POLICY, days_left=9, obstacle="Too late.")
    assert "not retrained" not in tried.reason


def test_too_few_rows_to_see_a_loss_are_no_suspicion_of_harm():
    step = next_rung(
        "update", "calibrated", rejected("forgotten", "possible_holdout_loss"), POLICY, days_left=9
    )
    assert "too few to tell what the update cost" in step.reason


def test_the_stronger_update_is_the_calibrated_one_taken_further():
    usual = UnlearningConfig()
    further = stronger(usual)
    assert further.method == "calibrated"
    assert further.calibration.tolerance < usual.calibration.tolerance
    assert further.calibration.remaining_share < usual.calibration.remaining_share
    assert further.calibration.max_steps > usual.calibration.max_steps
    assert stronger(replace(usual, method="theory_step")) == usual


@pytest.mark.parametrize(
    ("rung", "method", "obstacle", "days_left", "expected"),
    [
        ("update", "calibrated", "", 20, "retrain"),
        ("stronger", "calibrated", "", 20, "retrain"),
        ("update", "calibrated", "It is frozen.", 20, "wait"),
        ("update", "calibrated", "It is frozen.", 3, "withdraw"),
        ("retrain", "retrain", "", 20, "wait"),
        ("retrain", "retrain", "", -1, "withdraw"),
    ],
)
def test_an_attempt_that_led_nowhere_climbs_too(rung, method, obstacle, days_left, expected):
    decision = no_candidate("The loss is not finite.")
    step = next_rung(rung, method, decision, POLICY, days_left=days_left, obstacle=obstacle)
    assert step.rung == expected
    assert "The loss is not finite" in step.reason


@pytest.mark.parametrize("days", [20, -1])
def test_a_suspicion_alone_ends_in_no_withdrawal(days):
    failed = no_candidate("It is frozen.")
    step = next_rung("retrain", "retrain", failed, POLICY, days_left=days, untried="calibrated")
    assert (step.rung, step.method) == ("update", "calibrated")
    assert "It is frozen." in step.reason
    judged = rejected("forgotten", "holdout_accuracy_loss")
    step = next_rung("retrain", "retrain", judged, POLICY, days_left=days, untried="calibrated")
    assert step.rung in ("wait", "withdraw")

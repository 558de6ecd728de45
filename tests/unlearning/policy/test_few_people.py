from dataclasses import asdict

import sample_evidence as sample

from unlearning.config.gate_policy import GatePolicy
from unlearning.gate.gate import decide
from unlearning.policy.few_people import CHECKS, without_measures


def numbers(values, path=()):
    """Every number with the names that lead to it."""
    if isinstance(values, dict):
        for name, value in values.items():
            yield from numbers(value, (*path, name))
    elif isinstance(values, list | tuple):
        for value in values:
            yield from numbers(value, path)
    elif isinstance(values, float):
        yield path, values


def test_no_number_that_was_measured_on_forget_rows_is_left():
    evidence = sample.few(3)
    left = dict(numbers(without_measures(asdict(evidence))))
    words = {name for path in left for name in path}
    assert not {"forget_accuracy", "forget_loss", "mia_auc", "row_percentiles", "own"} & words
    judged = {path[-1] for path in left if path[:2] == ("forgetting", "judged")}
    assert judged == {"member_auc"}
    assert left["after", "holdout_accuracy"] == evidence.after.holdout_accuracy
    assert left["forgetting", "power"] == evidence.forgetting.power


def test_whether_a_check_was_passed_stays():
    decision = decide(sample.few(3), GatePolicy())
    checks = without_measures(asdict(decision))["checks"]
    assert [one["passed"] for one in checks] == [one.passed for one in decision.checks]
    assert {one["name"] for one in checks if "value" not in one} <= CHECKS
    assert {one["name"] for one in checks if "value" in one} & CHECKS == set()


def test_what_holds_no_measure_stays_as_it_is():
    values = {"model": "income", "rows": [1, {"deep": None}], "before": {"retain_accuracy": 0.9}}
    assert without_measures(values) == values

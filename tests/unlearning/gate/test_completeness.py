import json
from dataclasses import asdict, replace

import pytest

from tests.unlearning.gate.examples import AFTER, BEFORE, EVIDENCE, NUMBERS, changed, failed
from unlearning.config.gate_policy import GatePolicy
from unlearning.gate.gate import decide


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), None, -1.0])
@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("exact", [False, True])
def test_a_missing_or_impossible_number_on_either_side_fails(side, name, bad, exact):
    broken = replace(EVIDENCE, **{side: replace(getattr(EVIDENCE, side), **{name: bad})})
    decision = decide(broken, GatePolicy(undecided="accept"), exact=exact)
    assert not decision.passed
    assert decision.outcome == "cannot decide"
    assert "evidence_complete" in decision.failed_names
    json.dumps(asdict(decision), allow_nan=False)
    assert not any(check.passed for check in decision.checks if check.value is None)


@pytest.mark.parametrize("bad", [float("nan"), None, 1.5, -0.5])
@pytest.mark.parametrize(
    "place", [("judged", "before"), ("judged", "after"), ("forgetting", "power")]
)
def test_a_missing_or_impossible_number_of_the_attack_fails(place, bad):
    part, name = place
    decision = decide(changed(**{part: {name: bad}}), GatePolicy(undecided="accept"))
    assert not decision.passed
    assert decision.outcome == "cannot decide"


@pytest.mark.parametrize("name", ["retain_count", "forget_count", "holdout_count"])
def test_an_empty_set_fails(name):
    empty = replace(
        EVIDENCE,
        before=replace(BEFORE, **{name: 0}),
        after=replace(AFTER, **{name: 0}),
    )
    assert "evidence_complete" in failed(empty)


@pytest.mark.parametrize("name", ["retain_accuracy", "forget_accuracy", "mia_auc"])
def test_a_share_above_one_fails(name):
    assert "evidence_complete" in failed(changed(after={name: 1.2}))


def test_models_measured_on_different_rows_do_not_compare():
    assert failed(changed(after={"holdout_count": 15_999})) == ("same_rows",)

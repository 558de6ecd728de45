import json
import subprocess
import sys
from dataclasses import asdict, fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unlearning.config import GatePolicy
from unlearning.evaluation_report import EvaluationReport
from unlearning.gate import decide
from unlearning.membership import hanley_mcneil_error

BEFORE = EvaluationReport(
    retain_accuracy=0.94,
    forget_accuracy=0.94,
    holdout_accuracy=0.83,
    retain_loss=0.2,
    forget_loss=0.2,
    holdout_loss=0.4,
    mia_auc=0.6,
    mia_standard_error=0.008,
    retain_count=30_000,
    forget_count=1_500,
    holdout_count=16_000,
)
AFTER = replace(BEFORE, forget_accuracy=0.83, forget_loss=0.4, mia_auc=0.5)
POLICY = GatePolicy()
NUMBERS = [item.name for item in fields(EvaluationReport)]


def failed(after=AFTER, before=BEFORE, policy=POLICY):
    return decide(before, after, policy).failed_names


def test_a_forgotten_and_useful_model_passes():
    decision = decide(BEFORE, AFTER, POLICY)
    assert decision.passed
    assert decision.failed_names == ()
    assert all(check.meaning.endswith(".") for check in decision.checks)
    assert asdict(decision)["checks"][0]["name"] == "evidence_complete"


def test_the_original_itself_does_not_pass():
    assert failed(after=BEFORE) == ("accuracy_advantage", "mia_auc_upper")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"holdout_accuracy": 0.81}, ()),
        ({"holdout_accuracy": 0.8099}, ("holdout_accuracy_drop",)),
        ({"retain_accuracy": 0.89}, ()),
        ({"retain_accuracy": 0.8899}, ("retain_accuracy_drop",)),
        ({"mia_auc": 0.55}, ()),
        ({"mia_auc": 0.5501}, ("mia_auc_upper",)),
        ({"mia_auc": 0.45}, ()),
        ({"mia_auc": 0.4499}, ("mia_auc_lower",)),
        ({"mia_standard_error": 0.0255}, ()),
        ({"mia_standard_error": 0.0256}, ("mia_evidence",)),
        ({"forget_accuracy": 0.91}, ()),
        ({"forget_accuracy": 0.9101}, ("accuracy_advantage",)),
        ({"forget_accuracy": 0.0}, ()),
        ({"holdout_accuracy": 0.99, "retain_accuracy": 1.0}, ()),
        (
            {"holdout_accuracy": 0.5, "retain_accuracy": 0.5, "mia_auc": 0.9},
            (
                "holdout_accuracy_drop",
                "retain_accuracy_drop",
                "accuracy_advantage",
                "mia_auc_upper",
            ),
        ),
    ],
)
def test_each_limit_is_inclusive_and_each_check_speaks_for_itself(change, expected):
    decision = decide(BEFORE, replace(AFTER, **change), POLICY)
    assert decision.failed_names == expected
    assert decision.passed is (expected == ())


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), None, -1.0])
@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("side", ["before", "after"])
def test_a_missing_or_impossible_number_on_either_side_fails(side, name, bad):
    reports = {"before": BEFORE, "after": AFTER}
    reports[side] = replace(reports[side], **{name: bad})
    decision = decide(**reports, policy=POLICY)
    assert not decision.passed
    assert not decision.is_undecided
    assert "evidence_complete" in decision.failed_names
    json.dumps(asdict(decision), allow_nan=False)
    assert not any(check.passed for check in decision.checks if check.value is None)


@pytest.mark.parametrize("name", ["retain_count", "forget_count", "holdout_count"])
def test_an_empty_set_fails(name):
    assert "evidence_complete" in failed(replace(AFTER, **{name: 0}), replace(BEFORE, **{name: 0}))


@pytest.mark.parametrize("name", ["retain_accuracy", "forget_accuracy", "mia_auc"])
def test_a_share_above_one_fails(name):
    assert "evidence_complete" in failed(replace(AFTER, **{name: 1.2}))


def test_models_measured_on_different_rows_do_not_compare():
    assert failed(replace(AFTER, holdout_count=15_999)) == ("same_rows",)


@pytest.mark.parametrize("auc", [0.5, 0.55, 0.45])
def test_a_small_request_is_undecided_and_never_passes(auc):
    error = hanley_mcneil_error(auc, 20, 16_000)
    decision = decide(BEFORE, replace(AFTER, mia_auc=auc, mia_standard_error=error), POLICY)
    assert not decision.passed
    assert decision.is_undecided


def test_a_remembered_small_request_is_refused_and_not_merely_undecided():
    decision = decide(BEFORE, replace(AFTER, mia_auc=0.8, mia_standard_error=0.06), POLICY)
    assert decision.failed_names == ("mia_evidence", "mia_auc_upper")
    assert not decision.is_undecided


@given(auc=st.floats(0, 1), error=st.floats(0, 1))
def test_sampling_error_never_helps_a_model_through(auc, error):
    noisy = replace(AFTER, mia_auc=auc, mia_standard_error=error)
    if decide(BEFORE, noisy, POLICY).passed:
        assert decide(BEFORE, replace(noisy, mia_standard_error=0.0), POLICY).passed


def test_a_candidate_that_knows_the_forget_labels_is_refused_at_any_auc():
    knowing = replace(AFTER, forget_accuracy=0.95, mia_auc=0.5)
    assert failed(knowing) == ("accuracy_advantage",)
    assert failed(knowing, policy=GatePolicy(max_accuracy_advantage=0.12)) == ()
    strict = GatePolicy(max_accuracy_advantage=0.0)
    assert failed(policy=strict) == ()
    assert failed(replace(AFTER, forget_accuracy=0.831), policy=strict) == ("accuracy_advantage",)


def test_the_advantage_is_measured_on_the_candidate_and_against_its_own_holdout():
    checks = {check.name: check for check in decide(BEFORE, AFTER, POLICY).checks}
    assert checks["accuracy_advantage"].value == pytest.approx(0.0)
    better_served = replace(AFTER, holdout_accuracy=0.9, forget_accuracy=0.95)
    checks = {check.name: check for check in decide(BEFORE, better_served, POLICY).checks}
    assert checks["accuracy_advantage"].value == pytest.approx(0.05)


SHARE = st.floats(0, 1)


@given(
    retain=st.floats(0.87, 1),
    holdout=st.floats(0.8, 1),
    forget=st.floats(0.8, 1),
    auc=st.floats(0.44, 0.56),
    gains=st.tuples(SHARE, SHARE, SHARE, SHARE),
    flip=st.booleans(),
)
def test_a_better_candidate_never_fails_where_a_worse_one_passed(
    retain, holdout, forget, auc, gains, flip
):
    # Better: more accurate on the people who stay and on new ones, less sure of the forgotten ones.
    bad = replace(
        AFTER,
        retain_accuracy=retain,
        holdout_accuracy=holdout,
        forget_accuracy=forget,
        mia_auc=auc,
    )
    good = replace(
        bad,
        retain_accuracy=retain + gains[0] * (1 - retain),
        holdout_accuracy=holdout + gains[1] * (1 - holdout),
        forget_accuracy=forget * (1 - gains[2]),
        mia_auc=0.5 + (auc - 0.5) * (1 - gains[3]) * (-1 if flip else 1),
    )
    if decide(BEFORE, bad, POLICY).passed:
        assert decide(BEFORE, good, POLICY).passed


@given(delta=st.floats(-0.05, 0.05))
def test_near_the_limits_too_a_better_candidate_never_fails(delta):
    at_limit = replace(
        AFTER, holdout_accuracy=0.81, forget_accuracy=0.89, retain_accuracy=0.89, mia_auc=0.55
    )
    shifted = replace(at_limit, holdout_accuracy=0.81 + abs(delta), mia_auc=0.55 - abs(delta))
    assert decide(BEFORE, at_limit, POLICY).passed
    assert decide(BEFORE, shifted, POLICY).passed


def test_the_gate_does_not_load_torch():
    code = "import sys, unlearning.gate; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

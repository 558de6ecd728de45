import subprocess
import sys
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unlearning.gate.examples import EVIDENCE, JUDGED, LOSSES, POLICY, SMALL, changed, failed
from unlearning.config.gate_policy import GatePolicy
from unlearning.evidence.evidence import (
    AccuracyLoss,
)
from unlearning.gate.gate import decide, no_candidate

SHARE = st.floats(0, 1)
UNBOUNDED = ("attack_works", "nothing_left_auc")
"""Asked only where the attack cannot decide."""


def test_a_forgotten_and_useful_model_passes():
    decision = decide(EVIDENCE, POLICY)
    assert decision.passed
    assert decision.failed_names == ()
    assert decision.outcome == "forgotten"
    assert not decision.lost_utility
    assert all(check.meaning.endswith(".") for check in decision.checks)
    assert asdict(decision)["checks"][0]["name"] == "evidence_complete"


def test_the_original_itself_does_not_pass():
    same = changed(after={"forget_accuracy": 0.94}, judged={"after": JUDGED.before})
    decision = decide(same, POLICY)
    assert decision.failed_names == ("accuracy_advantage", "mia_auc_upper")
    assert decision.failed_words[1] == "the forget rows are still remembered"
    assert decision.why == f"{decision.outcome}: {'; '.join(decision.failed_words)}"
    assert decision.outcome == "remembered"


@pytest.mark.parametrize(
    ("change", "expected", "outcome"),
    [
        ({"holdout_accuracy_loss": 0.02}, (), "forgotten"),
        ({"holdout_accuracy_loss": 0.0201}, ("holdout_accuracy_loss",), "forgotten"),
        ({"retain_accuracy_loss": 0.05}, (), "forgotten"),
        ({"retain_accuracy_loss": 0.0501}, ("retain_accuracy_loss",), "forgotten"),
        ({"class_accuracy_loss": 0.1}, (), "forgotten"),
        ({"class_accuracy_loss": 0.1001}, ("class_accuracy_loss",), "forgotten"),
        ({"slice_accuracy_loss": 0.1}, (), "forgotten"),
        ({"slice_accuracy_loss": 0.1001}, ("slice_accuracy_loss",), "forgotten"),
        ({"judged": {"after": 0.55}}, (), "forgotten"),
        ({"judged": {"after": 0.5501}}, ("mia_auc_upper",), "remembered"),
        ({"judged": {"after": 0.45}}, (), "forgotten"),
        ({"judged": {"after": 0.4499}}, ("mia_auc_lower",), "over-forgotten"),
        ({"judged": {"before": 0.55}}, (), "forgotten"),
        ({"judged": {"before": 0.5499}}, ("known_positive", "attack_works"), "cannot decide"),
        ({"forgetting": {"power": 0.8}}, (), "forgotten"),
        ({"forgetting": {"power": 0.7999}}, ("attack_power", *UNBOUNDED), "cannot decide"),
        ({"after": {"forget_accuracy": 0.91}}, (), "forgotten"),
        ({"after": {"forget_accuracy": 0.9101}}, ("accuracy_advantage",), "remembered"),
        ({"after": {"forget_accuracy": 0.0}}, (), "forgotten"),
        (
            {"holdout_accuracy_loss": 0.3, "retain_accuracy_loss": 0.3, "judged": {"after": 0.9}},
            ("holdout_accuracy_loss", "retain_accuracy_loss", "mia_auc_upper"),
            "remembered",
        ),
    ],
)
def test_each_limit_is_inclusive_and_each_check_speaks_for_itself(change, expected, outcome):
    decision = decide(changed(**change), POLICY)
    assert decision.failed_names == expected
    assert decision.passed is (expected == ())
    assert decision.outcome == outcome
    assert decision.lost_utility is any("accuracy_loss" in name for name in expected)


def test_an_undecided_candidate_passes_only_where_the_policy_accepts_that():
    weak = changed(forgetting={"power": 0.2}, judged={"before": 0.5})
    accepting = GatePolicy(undecided="accept")
    assert not decide(weak, POLICY).passed
    decision = decide(weak, accepting)
    assert decision.passed
    assert decision.outcome == "cannot decide"
    assert decision.failed_names == ("known_positive", "attack_power", "attack_works")
    remembered = changed(weak, judged={"after": 0.9})
    assert not decide(remembered, accepting).passed
    assert decide(remembered, accepting).outcome == "remembered"


def test_a_retrained_model_is_judged_by_its_utility_alone_and_more_widely():
    forgotten_by_construction = changed(
        judged={"after": 0.9, "before": 0.5}, forgetting={"power": 0.0}, holdout_accuracy_loss=0.1
    )
    assert not decide(forgotten_by_construction, POLICY).passed
    decision = decide(forgotten_by_construction, POLICY, exact=True)
    assert decision.passed
    assert decision.outcome == "forgotten"
    assert failed(changed(holdout_accuracy_loss=0.1001), exact=True) == ("holdout_accuracy_loss",)
    assert failed(changed(class_accuracy_loss=0.2), exact=True) == ()
    assert failed(changed(class_accuracy_loss=0.2001), exact=True) == ("class_accuracy_loss",)
    assert failed(changed(slice_accuracy_loss=0.2), exact=True) == ()
    assert failed(changed(slice_accuracy_loss=0.2001), exact=True) == ("slice_accuracy_loss",)


def test_without_a_candidate_nothing_passes_and_the_reason_is_kept():
    decision = no_candidate("Its dropout is lost.")
    assert not decision.passed
    assert not decision.is_measured
    assert decision.why == "Its dropout is lost."


@given(
    losses=st.tuples(st.floats(-0.1, 0.03), st.floats(-0.1, 0.06), *2 * [st.floats(-0.1, 0.11)]),
    doubt=st.floats(0, 0.4),
    forget=st.floats(0.8, 1),
    holdout=st.floats(0.8, 1),
    auc=st.floats(0.4, 0.6),
    gains=st.tuples(SHARE, SHARE, SHARE, SHARE),
    small=st.booleans(),
    exact=st.booleans(),
)
def test_a_better_candidate_never_fails_where_a_worse_one_passed(
    losses, doubt, forget, holdout, auc, gains, small, exact
):
    # Better: more accurate on the people who stay and on new ones, less sure of the forgotten ones.
    base = SMALL if small else EVIDENCE
    others = base.forgetting.pooled.after - base.forgetting.own.after

    def candidate(auc, forget, holdout, losses):
        own = replace(base.forgetting.own, after=auc * base.forgetting.own.count)
        pooled = replace(base.forgetting.pooled, after=others + own.after)
        return changed(
            base,
            judged={"after": auc},
            forgetting={"own": own, "pooled": pooled},
            after={"forget_accuracy": forget, "holdout_accuracy": holdout},
            **{
                name: AccuracyLoss(rows=99, value=one, certain=one, possible=one + doubt)
                for name, one in zip(LOSSES, losses, strict=True)
            },
        )

    bad = candidate(auc, forget, holdout, losses)
    good = candidate(
        0.5 + (auc - 0.5) * (1 - gains[0]),
        forget * (1 - gains[1]),
        holdout + gains[2] * (1 - holdout),
        [loss - gains[3] for loss in losses],
    )
    if decide(bad, POLICY, exact=exact).passed:
        assert decide(good, POLICY, exact=exact).passed


def test_the_gate_does_not_load_torch():
    code = "import sys, unlearning.gate.gate; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

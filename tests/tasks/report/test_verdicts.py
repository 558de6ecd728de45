"""The gate's numbers in plain words: the right number, the right way round, and never too sure."""

from dataclasses import replace

import pytest
import sample_evidence as sample

from tasks.report.verdicts import in_hundred, points, power_sentence, verdict
from unlearning.config.gate_policy import GatePolicy
from unlearning.evidence.evidence import Probes, SliceLoss
from unlearning.gate.gate import decide
from unlearning.gate.gate_checks import Check


def said(evidence, **options):
    checks = decide(evidence, GatePolicy(), **options).checks
    return {check.name: verdict(check, evidence) for check in checks}


def test_a_candidate_that_forgot():
    found = said(sample.FORGOTTEN)
    assert all(one.passed for one in found.values())
    assert "by guessing; here 53 times. Up to 55 counts" in found["mia_auc_upper"].sentence
    assert "right 65 times in 100: the attack works" in found["known_positive"].sentence
    assert "noticed in 97 of 100 cases; at least 80" in found["attack_power"].sentence
    assert "83 of 100 forget rows, and for 81 of 100" in found["accuracy_advantage"].sentence
    assert "right 61 times in 100 on them" in found["canaries_caught"].sentence
    assert (
        "a loss of 0.7 points in 100. Accepted: up to 5.0 points"
        in found["retain_accuracy_loss"].sentence
    )
    assert "Chance can explain" in found["holdout_accuracy_loss"].sentence
    assert (
        "On 2,000 rows that the model never saw a loss of up to 1.2 points in 100 could go unseen; "
        "up to 10.0 points is accepted" in found["possible_holdout_loss"].sentence
    )
    assert "fell by 2.0 points in 100" in found["class_accuracy_loss"].sentence
    assert (found["mia_auc_upper"].measured, found["mia_auc_upper"].accepted) == (
        "0.530",
        "at most 0.550",
    )
    assert (found["same_rows"].measured, found["same_rows"].accepted) == ("0", "at most 0")


def test_a_candidate_that_remembers_and_one_that_over_forgot():
    found = said(sample.attacked(0.61))["mia_auc_upper"]
    assert not found.passed
    assert "here 61 times, more than the 55 that count" in found.sentence
    found = said(sample.attacked(0.4))["mia_auc_lower"]
    assert not found.passed
    assert "only 40 times in 100, below 45" in found.sentence


def test_too_few_rows_to_see_a_loss():
    hiding = replace(sample.FORGOTTEN.holdout_accuracy_loss, rows=20, possible=0.139)
    found = said(replace(sample.FORGOTTEN, holdout_accuracy_loss=hiding))["possible_holdout_loss"]
    assert not found.passed
    assert "On 20 rows" in found.sentence
    assert "13.9 points in 100 could go unseen, and 10.0 points is accepted" in found.sentence


def test_the_slice_that_fared_worst_is_named():
    drop = SliceLoss(rows=120, value=0.25, certain=0.15, column="home_region", group="north")
    found = said(replace(sample.FORGOTTEN, slice_accuracy_loss=drop))["slice_accuracy_loss"]
    assert not found.passed
    assert "slice that fared worst, home region north (120 rows" in found.sentence
    assert "right answers fell by 25.0 points in 100. More than chance" in found.sentence


def test_a_control_that_was_not_possible():
    bare = replace(sample.FORGOTTEN, probes=Probes(no_canaries="The holdout is too small."))
    found = said(bare)["canaries_made"]
    assert found.passed
    assert found.sentence.startswith("No control was possible. The holdout is too small.")
    assert found.sentence.endswith("policy asks for no more.")
    (failed,) = [
        verdict(check, bare)
        for check in decide(bare, GatePolicy(require_canaries=True)).checks
        if not check.passed
    ]
    assert (failed.name, failed.measured, failed.accepted) == ("canaries_made", "0", "at least 1")
    assert "asks for no more" not in failed.sentence


def test_a_difference_that_rounding_would_hide_is_shown():
    found = said(sample.attacked(0.5523))["mia_auc_upper"]
    assert "here 55.2 times, more than the 55.0 that count" in found.sentence


def test_few_rows_that_say_nothing():
    found = said(sample.few(3))
    assert "silence afterwards proves nothing" in found["known_positive"].sentence
    assert "8 of 100 cases, and 80 are asked for" in found["attack_power"].sentence
    sure = replace(sample.FORGETTING, power=1.0)
    assert "more than 99 of 100" in power_sentence(replace(sample.FORGOTTEN, forgetting=sure))
    assert "these 3 rows" in power_sentence(sample.few(3))
    assert "this one row" in power_sentence(sample.few(1))


def test_the_pool_of_earlier_batches_is_named():
    forgetting = replace(
        sample.few(10).forgetting,
        pooled=replace(sample.POOL, count=200, before=130.0, after=126.0),
        pooled_power=0.9,
    )
    evidence = replace(sample.few(10), forgetting=forgetting)
    found = said(evidence)
    assert "right 65 times in 100 (over 200 rows" in found["known_positive"].sentence
    assert "noticed in 90 of 100 cases (over 200 rows" in found["attack_power"].sentence
    assert "here 63 times, more than the 55" in found["pooled_mia_auc_upper"].sentence
    assert found["pooled_mia_auc_upper"].sentence.startswith("Together with earlier batches")
    assert "90 of 100" in power_sentence(evidence, decide(evidence, GatePolicy()).checks)


def test_every_check_of_the_gate_has_words_of_its_own():
    pooled = replace(
        sample.few(10).forgetting, pooled=replace(sample.POOL, count=200), pooled_power=0.9
    )
    below = replace(pooled, judged=replace(pooled.judged, after=0.4))
    for forgetting in (sample.FORGETTING, pooled, below):
        evidence = replace(sample.FORGOTTEN, forgetting=forgetting)
        for name, one in said(evidence).items():
            assert one.question.endswith("?"), name


def test_a_missing_number_a_strange_check_and_lost_evidence():
    broken = Check(
        name="mia_auc_upper", value=None, lower=None, upper=0.55, passed=False, meaning=""
    )
    assert "missing" in verdict(broken, sample.FORGOTTEN).sentence
    assert verdict(broken, sample.FORGOTTEN).measured == "missing"
    new = Check(
        name="slice_loss", value=0.3, lower=0.1, upper=0.2, passed=False, meaning="A slice."
    )
    found = verdict(new, sample.FORGOTTEN)
    assert (found.question, found.sentence) == ("Slice loss", "A slice.")
    assert found.accepted == "0.100 to 0.200"
    known = replace(new, name="mia_auc_upper")
    assert verdict(known, None).sentence == "A slice."


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0"), (0.004, "fewer than 1"), (0.53, "53"), (0.997, "more than 99"), (1.0, "100")],
)
def test_hundreds_are_never_rounded_to_certainty(share, text):
    assert in_hundred(share) == text


def test_points():
    assert [points(one) for one in (0.012, -0.01, 0.0)] == ["1.2 points", "1.0 point", "0.0 points"]

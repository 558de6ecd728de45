"""Checks of usefulness in plain words: what was lost, and what could hide on so few rows."""

from dataclasses import replace

import sample_evidence as sample

from tasks.report.check_answers import answer_of
from unlearning.config.gate_policy import GatePolicy
from unlearning.evidence.evidence import SliceLoss
from unlearning.gate.gate import decide


def said(evidence, **options):
    checks = decide(evidence, GatePolicy(), **options).checks
    return {check.name: answer_of(check, evidence) for check in checks}


def test_a_candidate_that_is_as_useful_as_before():
    found = said(sample.FORGOTTEN)
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


def test_too_few_rows_to_see_a_loss():
    hiding = replace(sample.FORGOTTEN.holdout_accuracy_loss, rows=20, possible=0.139)
    found = said(replace(sample.FORGOTTEN, holdout_accuracy_loss=hiding))["possible_holdout_loss"]
    assert not found.passed
    assert "On 20 rows" in found.sentence
    assert "13.9 points in 100 could go unseen, and 10.0 points is accepted" in found.sentence


def test_what_a_retrain_lost_on_rows_it_was_trained_on_is_stated_and_not_judged():
    found = said(sample.FORGOTTEN, exact=True)["retain_accuracy_loss"]
    assert (found.passed, found.accepted) == (True, "any")
    assert "it answers 98 rightly; the old version answered 99" in found.sentence
    assert "stated and not judged" in found.sentence


def test_the_slice_that_fared_worst_is_named():
    drop = SliceLoss(
        rows=120, value=0.25, certain=0.15, possible=0.35, column="home_region", group="north"
    )
    found = said(replace(sample.FORGOTTEN, slice_accuracy_loss=drop))["slice_accuracy_loss"]
    assert not found.passed
    assert "slice that fared worst, home region north (120 rows" in found.sentence
    assert "right answers fell by 25.0 points in 100. More than chance" in found.sentence


def test_a_class_that_gained_is_said_to_rise():
    assert sample.FORGOTTEN.class_accuracy_loss is not None
    gained = replace(sample.FORGOTTEN.class_accuracy_loss, value=-0.03, certain=-0.08)
    found = said(replace(sample.FORGOTTEN, class_accuracy_loss=gained))["class_accuracy_loss"]
    assert "right answers rose by 3.0 points in 100. Chance can explain" in found.sentence


def test_numbers_are_told_by_how_far_off_they_are():
    found = said(replace(sample.FORGOTTEN, holdout_error=sample.NUMBER_ERROR))
    assert found["holdout_error_rise"].passed
    assert (
        "On 2,000 rows that the model never saw its number is 0.62 off on average; that of the old "
        "version was 0.61 off. Chance can explain" in found["holdout_error_rise"].sentence
    )
    worse = replace(sample.NUMBER_ERROR, certain_rise=0.09)
    found = said(replace(sample.FORGOTTEN, holdout_error=worse))["holdout_error_rise"]
    assert not found.passed
    assert "a rise of 9.0 points in 100. Accepted: up to 5.0 points" in found.sentence

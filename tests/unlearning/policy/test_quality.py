"""A loss of quality that passed the gate is said in words."""

from dataclasses import replace

import pytest
import sample_evidence as sample

from unlearning.config.training_config import TrainingConfig
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.policy.quality import holdout_fall, what_helps_quality


def fallen(before, after, *, certain):
    return replace(
        sample.FORGOTTEN,
        before=replace(sample.REPORT, holdout_accuracy=before),
        after=replace(sample.REPORT, holdout_accuracy=after),
        holdout_accuracy_loss=replace(
            sample.FORGOTTEN.holdout_accuracy_loss, value=before - after, certain=certain
        ),
    )


def test_seven_points_that_passed_as_a_retrain_are_said():
    found = fallen(0.612, 0.542, certain=0.05)
    assert holdout_fall(found) == "Holdout accuracy fell: .612 -> .542."


@pytest.mark.parametrize(
    ("before", "after", "certain", "is_said"),
    [
        (0.612, 0.602, 0.001, True),  # little, and no chance
        (0.612, 0.590, -0.01, True),  # maybe chance, and more than two points
        (0.612, 0.593, -0.01, False),
        (0.612, 0.640, -0.04, False),
        (1.0, 0.9, 0.05, True),
    ],
)
def test_what_chance_may_explain_is_said_from_two_points_on(before, after, certain, is_said):
    assert bool(holdout_fall(fallen(before, after, certain=certain))) is is_said


def test_of_a_model_of_numbers_the_fall_is_said_with_its_mean_error():
    found = replace(fallen(0.612, 0.542, certain=0.05), holdout_error=sample.NUMBER_ERROR)
    assert holdout_fall(found) == (
        "Share of holdout rows less than 0.5 off fell: .612 -> .542; mean error: 0.61 -> 0.62."
    )
    risen = replace(sample.NUMBER_ERROR, certain_rise=0.1)
    assert "Mean error on holdout rows rose" in holdout_fall(replace(found, holdout_error=risen))


def test_a_retrain_by_numbers_that_nobody_set_says_that_the_owners_would_help():
    usual = UnlearningConfig()
    assert "the owner's way of training would help" in what_helps_quality(usual, "retrain")
    assert what_helps_quality(usual, "calibrated") == ""
    own = replace(usual, retraining=TrainingConfig(epochs=7))
    assert what_helps_quality(own, "retrain") == ""


def test_numbers_that_are_further_off_are_said():
    worse = replace(sample.NUMBER_ERROR, certain_rise=0.01)
    found = replace(sample.FORGOTTEN, holdout_error=worse)
    assert holdout_fall(found) == "Mean error on holdout rows rose: 0.61 -> 0.62."

import pytest

from unlearning.evidence.evidence import AccuracyLoss, Pool


def test_pools_add_up_and_share_the_larger_doubt_about_the_holdout():
    one = Pool(count=3, before=2.0, after=1.5, variance=1e-4)
    other = Pool(count=2, before=1.0, after=0.5, variance=1e-5)
    assert one + other == Pool(count=5, before=3.0, after=2.0, variance=1e-4)
    assert one + Pool() == one


def test_what_could_hide_behind_a_loss_is_its_upper_end():
    assert AccuracyLoss(rows=9, value=0.1, certain=0.0, possible=0.4).highest == 0.4


def test_without_an_upper_end_it_is_as_far_above_as_the_lower_end_is_below():
    assert AccuracyLoss(rows=9, value=0.1, certain=0.02).highest == pytest.approx(0.18)

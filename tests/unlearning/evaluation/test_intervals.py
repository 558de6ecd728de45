"""Intervals: by hand, by beta quantiles and counted pairs, and about as often right as they say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, bootstrap

from unlearning.errors import EvidenceError
from unlearning.evaluation.intervals import (
    auroc_intervals,
    loss_bound,
    mean_intervals,
    share_change_interval,
    share_interval,
)


@given(rows=st.integers(1, 300), data=st.data())
def test_a_share_has_the_interval_of_clopper_and_pearson(rows, data):
    hits = data.draw(st.integers(0, rows))
    lower = beta.ppf(0.025, hits, rows - hits + 1) if hits else 0.0
    upper = beta.ppf(0.975, hits + 1, rows - hits) if hits < rows else 1.0
    found = share_interval(hits, rows)
    assert (found.lower, found.upper) == pytest.approx((lower, upper), abs=1e-9)
    assert found.lower <= hits / rows <= found.upper


def test_no_hit_in_thirty_rows_may_still_be_one_in_nine():
    # By hand: (1 - p)^30 = 0.025.
    found = share_interval(0, 30)
    assert found.lower == 0.0
    assert found.upper == pytest.approx(1 - 0.025 ** (1 / 30))


def test_the_change_of_a_share_by_hand():
    # g = 4/102, l = 10/102: -6/102 -+ 1.96 sqrt((14/102 - 36/102^2) / 102).
    found = share_change_interval(3, 9, 100)
    doubt = 1.959964 * ((14 / 102 - 36 / 102**2) / 102) ** 0.5
    assert found.lower == pytest.approx(-6 / 102 - doubt)
    assert found.upper == pytest.approx(-6 / 102 + doubt)


def test_no_row_lost_of_twenty_may_still_hide_a_loss_of_one_in_seven():
    # By hand: (1 - p)^20 = 0.05.
    assert loss_bound(0, 0, 20, confidence=0.95) == pytest.approx(1 - 0.05 ** (1 / 20))
    assert loss_bound(0, 20, 20, confidence=0.95) == 1.0


def test_the_bound_of_a_loss_by_hand():
    upper, lower = beta.ppf(0.95, 9, 92), beta.ppf(0.05, 3, 98)
    expected = 0.05 + ((upper - 0.08) ** 2 + (0.03 - lower) ** 2) ** 0.5
    assert loss_bound(3, 8, 100, confidence=0.95) == pytest.approx(expected)


@given(
    gained=st.integers(0, 40),
    lost=st.integers(0, 40),
    same=st.integers(1, 100),
    confidence=st.floats(0.5, 0.9999),
)
def test_no_row_that_is_better_answered_raises_the_bound(gained, lost, same, confidence):
    rows = gained + lost + same
    bound = loss_bound(gained, lost, rows, confidence=confidence)
    assert bound >= (lost - gained) / rows
    assert loss_bound(gained + 1, lost, rows, confidence=confidence) <= bound + 1e-12
    if lost:
        assert loss_bound(gained, lost - 1, rows, confidence=confidence) <= bound + 1e-12


@pytest.mark.parametrize(("gain", "loss"), [(0.0, 0.02), (0.05, 0.05), (0.15, 0.15)])
@pytest.mark.parametrize("rows", [30, 150, 1000])
def test_the_bound_holds_about_as_often_as_it_says(rows, gain, loss):
    random = np.random.default_rng(0)
    drawn = random.multinomial(rows, [gain, loss, 1 - gain - loss], size=500)
    different, times = np.unique(drawn, axis=0, return_counts=True)
    is_right = [
        loss_bound(int(more), int(less), rows, confidence=0.95) >= loss - gain - 1e-12
        for more, less, _ in different
    ]
    assert np.average(is_right, weights=times) > 0.92


@given(
    gained=st.integers(0, 60),
    lost=st.integers(0, 60),
    same=st.integers(0, 200),
)
def test_a_change_lies_in_its_interval_and_turns_with_its_sign(gained, lost, same):
    rows = gained + lost + same
    if not rows:
        return
    found, turned = (
        share_change_interval(gained, lost, rows),
        share_change_interval(lost, gained, rows),
    )
    assert -1 <= found.lower <= (gained - lost) / rows <= found.upper <= 1
    assert (found.lower, found.upper) == pytest.approx((-turned.upper, -turned.lower))


@pytest.mark.parametrize(("gain", "loss"), [(0.0, 0.02), (0.05, 0.05), (0.02, 0.10)])
def test_the_change_of_a_share_is_covered_as_often_as_it_says(gain, loss):
    random = np.random.default_rng(0)
    drawn = random.multinomial(60, [gain, loss, 1 - gain - loss], size=1000)
    found = [share_change_interval(int(g), int(lost), 60) for g, lost, _ in drawn]
    covered = np.mean([one.lower <= gain - loss <= one.upper for one in found])
    assert covered >= 0.93


def test_means_have_about_the_intervals_of_scipys_bootstrap():
    random = np.random.default_rng(1)
    before = random.exponential(size=400)
    after = before + random.normal(0.1, 0.3, size=400)
    found = mean_intervals(before, after)
    for ours, values in zip(found, (before, after, after - before), strict=True):
        theirs = bootstrap((values,), np.mean, n_resamples=5000, method="percentile", rng=2)
        low, high = theirs.confidence_interval
        width = high - low
        assert ours.lower == pytest.approx(low, abs=0.1 * width)
        assert ours.upper == pytest.approx(high, abs=0.1 * width)


def area(positives, negatives):
    """Share of pairs in which the row of class 1 is above, ties counted half."""
    above = positives[:, None] - negatives
    return ((above > 0) + 0.5 * (above == 0)).mean()


def test_areas_have_about_the_intervals_of_counted_pairs_resampled():
    random = np.random.default_rng(3)
    labels = random.integers(0, 2, 200)
    before = np.round(random.normal(size=200) + labels, 1)  # rounded, so that scores are equal
    after = np.round(before + random.normal(0, 0.5, 200), 1)
    found = auroc_intervals(labels, before, after)
    places = [np.flatnonzero(labels == one) for one in (0, 1)]
    areas = []
    for _ in range(500):
        low, high = (random.choice(one, len(one)) for one in places)
        one, other = (area(scores[high], scores[low]) for scores in (before, after))
        areas.append((one, other, other - one))
    expected = np.percentile(areas, [2.5, 97.5], axis=0).T
    for ours, (low, high) in zip(found, expected, strict=True):
        assert ours.lower == pytest.approx(low, abs=0.15 * (high - low))
        assert ours.upper == pytest.approx(high, abs=0.15 * (high - low))


@given(seed=st.integers(0, 30), flip=st.booleans())
def test_the_order_of_the_rows_changes_nothing(seed, flip):
    random = np.random.default_rng(seed)
    labels = np.append(random.integers(0, 2, 18), [0, 1])
    before, after = random.integers(0, 4, (2, 20)).astype(float)
    order = random.permutation(20)
    assert mean_intervals(before, after) == mean_intervals(before[order], after[order])
    args = (labels, before, after) if not flip else (1 - labels, before, after)
    found = auroc_intervals(*args)
    assert found == auroc_intervals(*(one[order] for one in args))


def test_one_row_has_no_width_and_one_row_of_a_class_is_enough():
    one = np.array([0.5])
    found = mean_intervals(one, 2 * one)
    assert [(i.lower, i.upper) for i in found] == [(0.5, 0.5), (1.0, 1.0), (0.5, 0.5)]
    labels = np.array([0, 0, 0, 1])
    before = np.array([0.0, 1.0, 3.0, 2.0])  # above two of three
    area, same, change = auroc_intervals(labels, before, before)
    assert area.lower < 2 / 3 < area.upper
    assert same == area
    assert (change.lower, change.upper) == (0.0, 0.0)


def test_what_has_no_interval_is_refused():
    none, one = np.empty(0), np.array([1.0])
    with pytest.raises(EvidenceError, match="no rows"):
        share_interval(0, 0)
    with pytest.raises(EvidenceError, match="no rows"):
        share_change_interval(0, 0, 0)
    with pytest.raises(EvidenceError, match="no rows"):
        mean_intervals(none, none)
    with pytest.raises(EvidenceError, match="no rows"):
        auroc_intervals(np.array([1]), one, one)
    with pytest.raises(EvidenceError, match="not finite"):
        mean_intervals(one, one * np.nan)
    with pytest.raises(EvidenceError, match="not finite"):
        auroc_intervals(np.array([0, 1]), np.array([0.0, np.inf]), np.array([0.0, 1.0]))

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy, softplus

from tests.oracles import log_odds_of_label, midpoint_shares
from unlearning.model.margins import (
    _distribution,
    _quantile,
    class_groups,
    difficulty_levels,
    margin,
    target_margins,
)

NUMBER = st.floats(-15, 15)
SHARE = st.floats(0.001, 0.999)


def doubles(*numbers):
    return torch.tensor(numbers, dtype=torch.double)


def uniform_levels(count):
    return (torch.arange(count).double() + 0.5) / count


@given(scores=st.lists(NUMBER, min_size=2, max_size=6), data=st.data())
def test_the_margin_is_the_log_odds_of_the_label_and_gives_the_loss(scores, data):
    label = data.draw(st.integers(0, len(scores) - 1))
    rows, labels = doubles(scores), torch.tensor([label])
    phi = margin(rows, labels)
    assert phi.item() == pytest.approx(log_odds_of_label(scores, label), rel=1e-9, abs=1e-9)
    torch.testing.assert_close(softplus(-phi), cross_entropy(rows, labels, reduction="none"))


def test_with_two_classes_the_margin_is_the_difference_of_the_scores():
    scores = torch.tensor([[1.0, 3.5], [1.0, 3.5], [-2.0, -2.0]])
    assert margin(scores, torch.tensor([1, 0, 0])).tolist() == [2.5, -2.5, 0.0]


def test_confident_rows_keep_a_margin_where_the_loss_is_flat():
    scores, labels = torch.tensor([[200.0, 0.0], [300.0, 0.0]]), torch.tensor([0, 0])
    assert cross_entropy(scores, labels, reduction="none").tolist() == [0.0, 0.0]
    assert margin(scores, labels).tolist() == [200.0, 300.0]


def test_the_gradient_of_a_margin_is_finite_on_every_score():
    scores = torch.tensor([[50.0, 0.0, -50.0]], requires_grad=True)
    margin(scores, torch.tensor([0])).sum().backward()
    torch.testing.assert_close(scores.grad, torch.tensor([[1.0, -1.0, 0.0]]))


def test_a_class_stands_alone_only_with_enough_rows_in_both_samples():
    retain = torch.tensor([0] * 3 + [1] * 2 + [2] * 3)
    holdout = torch.tensor([0] * 3 + [1] * 3 + [2] * 2)
    forget = torch.tensor([3, 3, 3, 3])
    assert class_groups(forget, retain, holdout, min_rows=3).tolist() == [0, -1, -1, -1]
    assert class_groups(forget, retain, holdout, min_rows=2).tolist() == [0, 1, 2, -1]
    assert class_groups(forget, retain, holdout, min_rows=4).tolist() == [-1] * 4


def test_the_distribution_function_by_hand():
    values, weights = doubles(4.0, 2.0, 1.0, 2.0), doubles(4.0, 1.0, 1.0, 2.0)
    shares = _distribution(values, weights, doubles(0.0, 1.0, 2.0, 3.0, 4.0, 9.0))
    # masses 1, 3, 4 at 1, 2, 4; kept at least 1/8 away from 0 and 1
    assert shares.tolist() == pytest.approx([1 / 8, 1 / 8, 5 / 16, 1 / 2, 3 / 4, 7 / 8])


@given(
    values=st.lists(st.integers(-5, 5), min_size=1, max_size=20),
    points=st.lists(st.integers(-6, 6), min_size=1, max_size=5),
)
def test_without_weights_the_distribution_function_counts_rows_and_ties_half(values, points):
    shares = _distribution(doubles(*values), torch.ones(len(values)).double(), doubles(*points))
    assert shares.tolist() == pytest.approx(midpoint_shares(values, points))


def test_the_quantile_function_by_hand():
    values, weights = doubles(40.0, 10.0, 20.0), doubles(1.0, 1.0, 2.0)
    # mid-points of the masses: 10 at 1/8, 20 at 1/2, 40 at 7/8
    levels = doubles(0.001, 1 / 8, 5 / 16, 1 / 2, 11 / 16, 7 / 8, 0.999)
    quantiles = _quantile(values, weights, levels)
    assert quantiles.tolist() == pytest.approx([10, 10, 15, 20, 30, 40, 40])


@given(
    values=st.lists(NUMBER, min_size=1, max_size=30),
    levels=st.lists(SHARE, min_size=1, max_size=5),
    weight=st.floats(0.01, 100),
)
def test_with_equal_weights_the_quantiles_are_those_of_numpy(values, levels, weight):
    ours = _quantile(
        doubles(*values), torch.full((len(values),), weight).double(), doubles(*levels)
    )
    expected = np.quantile(values, levels, method="hazen")
    assert ours.tolist() == pytest.approx(expected.tolist(), rel=1e-6, abs=1e-6)


@given(
    numbers=st.lists(st.integers(-50, 50), min_size=1, max_size=20, unique=True),
    weight=st.floats(0.1, 10),
)
def test_quantile_and_distribution_function_undo_each_other(numbers, weight):
    values = doubles(*numbers)
    weights = torch.full_like(values, weight)
    shares = _distribution(values, weights, values)
    torch.testing.assert_close(_quantile(values, weights, shares), values)


FORGET = (doubles(2.0, 5.0), torch.tensor([0, 1]))
RETAIN = (doubles(1.0, 3.0, 4.0, 6.0, 2.0), torch.tensor([0, 0, 1, 1, 1]))


def test_with_share_one_a_level_is_the_place_among_retain_rows_of_the_class():
    levels = difficulty_levels(FORGET, RETAIN, torch.tensor([0, 1]), share=1.0)
    assert levels.tolist() == pytest.approx([1 / 2, 2 / 3])


def test_pooled_classes_weigh_as_they_do_in_the_forget_set():
    levels = difficulty_levels(FORGET, RETAIN, torch.tensor([-1, -1]), share=1.0)
    # each class counts one half: (1/2 + 1/6) / 2 and (1 + 2/3) / 2
    assert levels.tolist() == pytest.approx([1 / 3, 5 / 6])


def test_with_share_zero_a_level_is_the_rank_within_the_group():
    forget = (doubles(3.0, -1.0, 2.0, 8.0, 7.0), torch.tensor([0, 0, 0, 1, 1]))
    levels = difficulty_levels(forget, RETAIN, torch.tensor([0, 1]), share=0.0)
    assert levels.tolist() == pytest.approx([5 / 6, 1 / 6, 3 / 6, 3 / 4, 1 / 4])


def test_a_share_in_between_is_the_mean_with_that_weight():
    groups = torch.tensor([0, 1])
    ends = [difficulty_levels(FORGET, RETAIN, groups, share=share) for share in (0.0, 1.0)]
    between = difficulty_levels(FORGET, RETAIN, groups, share=0.25)
    torch.testing.assert_close(between, 0.75 * ends[0] + 0.25 * ends[1])


ROW = st.tuples(st.integers(-8, 8), st.integers(0, 2))


@given(
    forget=st.lists(ROW, min_size=1, max_size=12),
    retain=st.lists(ROW, min_size=1, max_size=12),
    share=st.floats(0, 1),
    min_rows=st.integers(1, 4),
)
def test_levels_lie_between_zero_and_one_and_rise_with_the_score(forget, retain, share, min_rows):
    sets = [
        (torch.tensor([s for s, _ in rows]).float(), torch.tensor([y for _, y in rows]))
        for rows in (forget, retain)
    ]
    groups = class_groups(sets[0][1], sets[1][1], sets[1][1], min_rows=min_rows)
    levels = difficulty_levels(sets[0], sets[1], groups, share=share)
    assert levels.dtype == torch.double
    assert bool(((levels > 0) & (levels < 1)).all())
    for group in groups[sets[0][1]].unique():
        mine = groups[sets[0][1]] == group
        pairs = sorted(zip(sets[0][0][mine].tolist(), levels[mine].tolist(), strict=True))
        assert [level for _, level in pairs] == sorted(level for _, level in pairs)


def test_uniform_levels_reproduce_the_margins_of_the_holdout_class_by_class():
    margins = torch.randn(40) * 3
    labels = torch.tensor([0, 1] * 20)
    levels = torch.stack([uniform_levels(20)] * 2, dim=1).reshape(-1)
    targets = target_margins(levels, labels, (margins, labels), torch.tensor([0, 1]))
    for group in (0, 1):
        torch.testing.assert_close(targets[labels == group], margins[labels == group].msort())


def test_uniform_levels_reproduce_the_mean_and_spread_of_a_larger_holdout():
    margins, labels = torch.randn(500) * 2 + 1, torch.zeros(500, dtype=torch.int64)
    targets = target_margins(uniform_levels(60), labels[:60], (margins, labels), torch.tensor([0]))
    assert float(targets.mean()) == pytest.approx(float(margins.mean()), abs=0.05)
    assert float(targets.std()) == pytest.approx(float(margins.std()), abs=0.1)
    assert float(targets.median()) == pytest.approx(float(margins.median()), abs=0.1)


def test_pooled_targets_follow_the_forget_sets_mix_of_classes():
    holdout = torch.tensor([0, 1] * 100)
    margins = torch.where(holdout == 0, 4.0, -4.0)
    labels = torch.tensor([0] * 30 + [1] * 10)
    targets = target_margins(uniform_levels(40), labels, (margins, holdout), torch.tensor([-1, -1]))
    assert float((targets == 4.0).sum()) == 30
    assert float((targets == -4.0).sum()) == 10


def test_holdout_rows_of_classes_that_are_not_forgotten_take_no_part():
    holdout = (torch.tensor([1.0, 2.0, 99.0, -99.0]), torch.tensor([0, 0, 1, 2]))
    targets = target_margins(
        uniform_levels(2), torch.tensor([0, 0]), holdout, torch.tensor([-1, -1, -1])
    )
    assert targets.tolist() == [1.0, 2.0]


def test_a_class_that_the_samples_lack_is_held_against_all_rows():
    labels, groups = torch.tensor([2, 2, 2]), torch.tensor([-1, -1, -1])
    sample = (torch.tensor([3.0, 1.0, 2.0]), torch.tensor([0, 1, 1]))
    targets = target_margins(uniform_levels(3), labels, sample, groups)
    assert targets.tolist() == [1.0, 2.0, 3.0]
    scores = torch.tensor([0.0, 2.0, 2.5])
    levels = difficulty_levels((scores, labels), sample, groups, share=1.0)
    assert levels.tolist() == pytest.approx([1 / 6, 1 / 2, 2 / 3])


@pytest.mark.parametrize("score", [-100.0, 0.0, 100.0])
def test_one_forget_row_gets_a_level_and_a_target_within_the_holdouts_range(score):
    sample = (torch.tensor([-2.0, 0.0, 5.0]), torch.tensor([0, 0, 0]))
    labels, groups = torch.tensor([0]), torch.tensor([0])
    levels = difficulty_levels((torch.tensor([score]), labels), sample, groups, share=0.5)
    targets = target_margins(levels, labels, sample, groups)
    expected = 0.25 + 0.5 * {-100.0: 1 / 6, 0.0: 1 / 2, 100.0: 5 / 6}[score]
    assert levels.tolist() == pytest.approx([expected])
    assert -2.0 <= float(targets) <= 5.0


def test_one_row_in_each_sample_is_enough():
    one = (torch.tensor([0.7]), torch.tensor([0]))
    scores, labels, groups = torch.tensor([1.0, 0.1, 9.0]), torch.tensor([0, 0, 0]), torch.zeros(1)
    levels = difficulty_levels((scores, labels), one, groups.long(), share=1.0)
    assert levels.tolist() == [0.5, 0.5, 0.5]
    targets = target_margins(uniform_levels(3), labels, one, groups.long())
    assert targets.tolist() == pytest.approx([0.7] * 3)

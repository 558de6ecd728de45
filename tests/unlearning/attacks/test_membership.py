import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.oracles import pairwise_auc
from unlearning.attacks.membership import hanley_mcneil_error, membership_auc
from unlearning.errors import EvidenceError

LOSSES = st.lists(st.sampled_from([0.0, 0.1, 0.5, 1.0, 2.0, 9.0]), min_size=1, max_size=12)


def auc(members, others):
    return membership_auc(torch.tensor(members), torch.tensor(others)).auc


@pytest.mark.parametrize(
    ("members", "others", "expected"),
    [
        ([0.1, 0.2], [0.3, 0.4], 1.0),
        ([0.3, 0.4], [0.1, 0.2], 0.0),
        ([1.0, 1.0], [1.0], 0.5),
        ([0.1, 0.5], [0.5, 0.9], 0.875),
        ([0.1, 0.5, 0.5], [0.5, 0.2], (1 + 1 + 0.5 + 0 + 0.5 + 0) / 6),
    ],
    ids=["remembered", "over-forgotten", "all tied", "one tie", "three ties"],
)
def test_the_auc_by_hand(members, others, expected):
    assert auc(members, others) == pytest.approx(expected, abs=1e-12)


@given(members=LOSSES, others=LOSSES)
def test_the_auc_is_that_of_counted_pairs(members, others):
    assert auc(members, others) == pytest.approx(pairwise_auc(members, others), abs=1e-12)


@given(members=LOSSES, others=LOSSES)
def test_swapping_the_sides_mirrors_the_auc_at_one_half(members, others):
    assert auc(members, others) + auc(others, members) == pytest.approx(1.0, abs=1e-12)


def test_the_standard_error_by_hand():
    # A = 0.75: Q1 = 0.6, Q2 = 9/14; (0.1875 + 3 * 0.0375 + 5 * (9/14 - 0.5625)) / 24
    expected = ((0.1875 + 3 * 0.0375 + 5 * (9 / 14 - 0.5625)) / 24) ** 0.5
    assert hanley_mcneil_error(0.75, 4, 6) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("members", "others"), [(20, 200), (100, 100), (300, 50)])
def test_the_standard_error_is_the_spread_seen_over_many_draws(members, others):
    draws = [membership_auc(torch.rand(members), torch.rand(others)) for _ in range(400)]
    seen = float(torch.tensor([draw.auc for draw in draws]).std())
    told = float(torch.tensor([draw.standard_error for draw in draws]).mean())
    assert told == pytest.approx(seen, rel=0.15)


def test_one_forget_row_has_the_error_of_a_random_rank():
    assert hanley_mcneil_error(0.5, 1, 100_000) == pytest.approx(12**-0.5, rel=1e-3)


@pytest.mark.parametrize("extreme", [0.0, 1.0])
def test_the_standard_error_of_a_perfect_separation_is_zero_and_not_nan(extreme):
    assert hanley_mcneil_error(extreme, 3, 1) == pytest.approx(0.0, abs=1e-8)


@pytest.mark.parametrize("bad", [[], [[0.5]], [float("nan"), 0.5], [0.5, float("inf")]])
@pytest.mark.parametrize("side", ["forget", "holdout"])
def test_losses_that_are_missing_or_not_finite_are_no_evidence(bad, side):
    losses = {"forget": torch.tensor([0.5]), "holdout": torch.tensor([0.7])}
    losses[side] = torch.tensor(bad)
    with pytest.raises(EvidenceError, match=side):
        membership_auc(losses["forget"], losses["holdout"])

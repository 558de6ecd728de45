from statistics import NormalDist

import pytest
import torch
from scipy.stats import mannwhitneyu

from unlearning.attacks.percentiles import (
    Percentiles,
    chance_deviation,
    detection_power,
    percentiles,
)
from unlearning.errors import EvidenceError


def doubles(*values):
    return torch.tensor(values, dtype=torch.double)


def test_each_row_is_ranked_within_its_class_and_a_tie_counts_half():
    found = percentiles(
        doubles(5.0, 0.0, 5.0),
        torch.tensor([0, 0, 1]),
        doubles(1.0, 5.0, 9.0, 1.0, 2.0, 3.0),
        torch.tensor([0, 0, 0, 1, 1, 1]),
        min_rows=2,
    )
    assert found.values.tolist() == [0.5, 0.0, 1.0]
    assert found.auc == pytest.approx(0.5)
    # two of three rows against three, one of three against three
    assert found.holdout_variance == pytest.approx(((2 / 3) ** 2 + (1 / 3) ** 2) / 12 / 3)


def test_rare_classes_are_compared_together_and_with_all_if_even_those_are_few():
    others, labels = doubles(1.0, 2.0, 3.0, 4.0), torch.tensor([0, 0, 1, 2])
    together = percentiles(doubles(3.5), torch.tensor([2]), others, labels, min_rows=2)
    assert together.values.tolist() == [0.5]  # against rows of classes 1 and 2
    unknown = percentiles(doubles(3.5), torch.tensor([7]), others, labels, min_rows=3)
    assert unknown.values.tolist() == [0.75]  # against all


def test_with_one_class_the_mean_is_the_area_under_the_curve():
    random = torch.Generator().manual_seed(0)
    mine = torch.randn(40, generator=random, dtype=torch.double) + 0.5
    others = torch.randn(90, generator=random, dtype=torch.double)
    zeros = torch.zeros(90, dtype=torch.int64)
    found = percentiles(mine, zeros[:40], others, zeros, min_rows=1)
    assert found.auc == pytest.approx(mannwhitneyu(mine, others).statistic / (40 * 90))


@pytest.mark.parametrize("bad", [(doubles(), doubles(1.0)), (doubles(1.0), doubles())])
def test_an_empty_side_is_refused(bad):
    labels = [torch.zeros(len(side), dtype=torch.int64) for side in bad]
    with pytest.raises(EvidenceError, match="no rows"):
        percentiles(bad[0], labels[0], bad[1], labels[1], min_rows=1)


def test_nan_is_refused():
    label = torch.zeros(1, dtype=torch.int64)
    with pytest.raises(EvidenceError, match="NaN"):
        percentiles(doubles(float("nan")), label, doubles(1.0), label, min_rows=1)


def test_few_rows_never_look_surer_than_uniform_ones():
    alike = Percentiles(doubles(0.5, 0.5, 0.5), 0.0)
    assert alike.standard_error == pytest.approx((1 / 12 / 3) ** 0.5)
    many = Percentiles(torch.full((30,), 0.5, dtype=torch.double), 1e-4)
    assert many.standard_error == pytest.approx(0.01)


def test_chance_of_one_row_is_a_uniform_quantile_and_of_many_a_normal_one():
    assert chance_deviation(1, 0.0, false_alarm=0.05) == pytest.approx(0.45, abs=0.005)
    two = 1 - (2 * 0.02) ** 0.5 / 2 - 0.5  # mean of two: a triangle
    assert chance_deviation(2, 0.0, false_alarm=0.02) == pytest.approx(two, abs=0.005)
    normal = NormalDist().inv_cdf(0.99) * (1 / 1200 + 1e-4) ** 0.5
    assert chance_deviation(100, 1e-4, false_alarm=0.01) == pytest.approx(normal)


@pytest.mark.parametrize("count", [1, 3, 29, 30, 200])
def test_forgotten_rows_exceed_the_limit_as_often_as_promised(count):
    random = torch.Generator().manual_seed(1)
    holdout = torch.randn(500, generator=random, dtype=torch.double)
    zeros = torch.zeros(500, dtype=torch.int64)
    limit = 0.5 + chance_deviation(count, 1 / 12 / 500, false_alarm=0.05)
    alarms = 0
    for _ in range(2000):
        rows = torch.randn(count, generator=random, dtype=torch.double)
        holdout = torch.randn(500, generator=random, dtype=torch.double)
        alarms += percentiles(rows, zeros[:count], holdout, zeros, min_rows=1).auc > limit
    assert 0.03 < alarms / 2000 < 0.07


@pytest.mark.parametrize("count", [5, 60])
def test_power_is_how_often_remembered_rows_are_caught(count):
    random = torch.Generator().manual_seed(2)
    members = 1 - 0.6 * torch.rand(4000, generator=random, dtype=torch.double)
    found = Percentiles(members, 0.0)
    caught = [
        float(members[torch.randint(4000, (count,), generator=random)].mean()) > 0.72
        for _ in range(4000)
    ]
    expected = sum(caught) / 4000
    power = detection_power(found, torch.ones(4000, dtype=torch.double), count, limit=0.72)
    assert power == pytest.approx(expected, abs=0.03)
    assert 0.1 < power < 0.9


def test_members_without_weight_are_never_drawn():
    members = Percentiles(doubles(0.0, 1.0), 0.0)
    assert detection_power(members, doubles(0.0, 2.0), 3, limit=0.9) == 1.0
    assert detection_power(members, doubles(2.0, 0.0), 100, limit=0.9) == pytest.approx(0.0)
    with pytest.raises(EvidenceError, match="retain"):
        detection_power(members, doubles(0.0, 0.0), 3, limit=0.9)


@pytest.mark.parametrize("count", [5, 400])
def test_power_falls_as_more_of_the_rows_are_forgotten(count):
    members = Percentiles(doubles(0.8, 0.9, 1.0), 1e-4)
    limit = 0.5 + chance_deviation(count, 1e-4, false_alarm=0.01)
    powers = [
        detection_power(members, torch.ones(3).double(), count, limit=limit, remembered=share)
        for share in (1.0, 0.5, 0.25, 0.0)
    ]
    assert powers == sorted(powers, reverse=True)
    assert powers[-1] == pytest.approx(0.01, abs=0.004)  # all forgotten: the false alarms alone


def test_the_power_of_many_rows_is_that_of_a_mixture_by_hand():
    members = Percentiles(doubles(0.9), 0.0)
    # Half at 0.9, half uniform: mean 0.7, variance (0.81 + 1/3) / 2 - 0.49.
    variance = (0.81 + 1 / 3) / 2 - 0.49
    limit = 0.7 + (variance / 100) ** 0.5
    found = detection_power(members, doubles(1.0), 100, limit=limit, remembered=0.5)
    assert found == pytest.approx(0.1587, abs=1e-4)

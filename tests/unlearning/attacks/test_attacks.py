import math

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch import nn

from tests.oracles import Fingerprint, linear_model
from unlearning.attacks.attacks import Signals, available_attacks, read_signals, row_statistics
from unlearning.attacks.percentiles import percentiles
from unlearning.errors import DataError
from unlearning.model.margins import margin
from unlearning.model.scores import read_scores


def signals(margins, references):
    count = len(margins)
    held = torch.tensor(references, dtype=torch.double).reshape(-1, count)
    labels = torch.zeros(count, dtype=torch.int64)
    return Signals(torch.tensor(margins, dtype=torch.double), labels, held)


def sigmoid(value):
    return 1 / (1 + math.exp(-value))


def test_the_three_statistics_by_hand():
    given = signals([2.0, -1.0], [[1.0, 0.0], [3.0, -4.0]])
    assert row_statistics("loss", given).tolist() == [2.0, -1.0]
    assert row_statistics("lira", given).tolist() == [0.0, 1.0]
    ratios = [
        math.log(sigmoid(2) / ((sigmoid(1) + sigmoid(3)) / 2)),
        math.log(sigmoid(-1) / ((sigmoid(0) + sigmoid(-4)) / 2)),
    ]
    assert row_statistics("rmia", given).tolist() == pytest.approx(ratios)


def test_a_model_that_says_what_its_references_say_gives_nothing_away():
    same = signals([2.0, -1.0], [[2.0, -1.0]])
    for attack in ("lira", "rmia"):
        assert row_statistics(attack, same).tolist() == pytest.approx([0.0, 0.0])


def test_margins_beyond_what_an_exponential_holds_stay_finite():
    extreme = signals([800.0, -800.0], [[700.0, -900.0]])
    for attack in available_attacks(extreme):
        assert bool(row_statistics(attack, extreme).isfinite().all())


def test_without_references_the_loss_is_all_there_is():
    assert available_attacks(signals([1.0], [])) == ("loss",)
    assert available_attacks(signals([1.0], [[1.0]])) == ("loss", "lira", "rmia")


def test_signals_are_the_margins_of_each_model_in_any_chunking(rows):
    data, models = rows(20), [nn.Linear(5, 3) for _ in range(3)]
    before = [Fingerprint.of(model) for model in models]
    scores = read_scores(models[0], data, chunk_size=7)
    found = read_signals(scores, models[1:], data, chunk_size=6)
    for held, model in zip([found.margins, *found.references], models, strict=True):
        expected = margin(model(data.inputs).double(), data.labels).detach()
        torch.testing.assert_close(held, expected)
    assert torch.equal(found.labels, data.labels)
    for known, model in zip(before, models, strict=True):
        known.assert_same(model)


def test_scores_of_other_rows_are_refused(rows):
    scores = read_scores(linear_model(5, 3), rows(20), chunk_size=7)
    with pytest.raises(DataError, match="20 rows for 19"):
        read_signals(scores, [], rows(19), chunk_size=7)


def score_arrays(rows, models, seed):
    """Class scores of some models on some rows [K, N, 3], and labels."""
    random = np.random.default_rng(seed)
    return random.normal(scale=3, size=(models, rows, 3)), random.integers(0, 3, rows)


def probabilities(scores, labels):
    """The probability of each row's label under each model [K, N], by the softmax."""
    powers = np.exp(scores)
    return powers[:, np.arange(len(labels)), labels] / powers.sum(2)


def signals_of(scores, labels):
    """The first model is the one in question, the others its references."""
    targets = torch.from_numpy(labels)
    margins = [margin(torch.from_numpy(one), targets) for one in scores]
    return Signals(margins[0], targets, torch.stack(margins[1:]))


def test_the_likelihood_ratio_attack_is_that_of_its_paper():
    """Carlini et al. 2022, offline: Pr[Z <= logit p], Z normal as under models that saw no row."""
    scores, labels = score_arrays(40, 6, seed=1)
    confidence = probabilities(scores, labels)
    logit = np.log(confidence / (1 - confidence))
    mean, deviation = logit[1:].mean(0), logit[1:].std()  # one variance for all rows
    expected = norm.cdf((logit[0] - mean) / deviation)
    found = row_statistics("lira", signals_of(scores, labels)).numpy()
    np.testing.assert_allclose(norm.cdf(found / deviation), expected, rtol=1e-9)
    assert (np.argsort(found) == np.argsort(expected)).all()


def test_the_relative_attack_is_that_of_its_paper():
    """Zarifzadeh et al. 2024, offline: Pr_z[(p(x) / Pr(x)) / (p(z) / Pr(z)) >= 1]."""
    mine, other = score_arrays(25, 5, seed=2), score_arrays(60, 5, seed=3)
    ratios = []
    for scores, labels in (mine, other):
        p = probabilities(scores, labels)
        ratios.append(p[0] / p[1:].mean(0))
    expected = [np.mean([x / z >= 1 for z in ratios[1]]) for x in ratios[0]]
    members, population = signals_of(*mine), signals_of(*other)
    found = percentiles(
        row_statistics("rmia", members),
        torch.zeros(25, dtype=torch.int64),  # the population of the paper is of all classes
        row_statistics("rmia", population),
        torch.zeros(60, dtype=torch.int64),
        min_rows=1,
    )
    np.testing.assert_allclose(found.values.numpy(), expected, rtol=1e-12)

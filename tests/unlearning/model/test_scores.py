import math

import pytest
import torch
from torch import nn

from tests.oracles import Fingerprint, linear_model, softmax_linear_loss
from unlearning.errors import DataError, DivergenceError
from unlearning.model.margins import margin
from unlearning.model.rows import TensorRows
from unlearning.model.scores import Scores, read_scores, scores_under
from unlearning.model.state import forward_state


def test_row_losses_are_the_closed_form_in_row_order(rows):
    model, data = linear_model(5, 3), rows(23)
    expected = softmax_linear_loss(model.weight, model.bias, data.inputs, data.labels).double()
    found = read_scores(model, data, chunk_size=7)
    torch.testing.assert_close(found.losses, expected, rtol=1e-5, atol=1e-6)
    assert found.mean_loss == pytest.approx(float(expected.mean()), rel=1e-6)


def test_accuracy_is_the_share_of_rows_whose_best_score_is_their_label():
    scores = torch.tensor([[2.0, 1.0], [0.0, 1.0], [5.0, 1.0], [3.0, 0.0]])
    data = TensorRows(scores, torch.tensor([0, 1, 1, 0]))
    assert read_scores(nn.Identity(), data, chunk_size=3).accuracy == 0.75


def test_scores_have_the_losses_and_hits_of_their_rows():
    scores = Scores(
        torch.tensor([[0.0, 0.0], [3.0, 0.0]], dtype=torch.double), torch.tensor([1, 0])
    )
    assert scores.accuracy == 0.5  # a tie goes to the first class
    assert scores.mean_loss == pytest.approx((math.log(2) + math.log(1 + math.exp(-3))) / 2)
    assert scores.margins.tolist() == pytest.approx([0.0, 3.0])
    assert scores.probabilities.sum(1).tolist() == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize("name", ["stateful", "exported"])
def test_the_model_is_left_bit_for_bit_as_it_was(name, rows, request):
    model = request.getfixturevalue(name)
    before = Fingerprint.of(model)
    first, second = (read_scores(model, rows(20), chunk_size=7) for _ in range(2))
    assert torch.equal(first.values, second.values)
    before.assert_same(model)


def test_very_confident_rows_still_have_different_losses():
    data = TensorRows(torch.tensor([[30.0, 0.0], [40.0, 0.0]]), torch.zeros(2, dtype=torch.int64))
    small, smaller = read_scores(nn.Identity(), data, chunk_size=2).losses
    assert float(small) > float(smaller) >= 0.0


def test_scores_under_another_state_are_those_of_the_model_that_has_it(rows):
    model, other, data = linear_model(5, 3), linear_model(5, 3), rows(20)
    with torch.no_grad():
        other.weight.mul_(2)
    state = forward_state(other, "cpu")
    found = scores_under(model, state, data, chunk_size=6, device="cpu")
    assert found.values.dtype == torch.float32
    torch.testing.assert_close(found.margins, margin(other(data.inputs), data.labels).detach())
    assert torch.equal(found.labels, data.labels)


@pytest.mark.parametrize("score", [float("inf"), float("nan")])
def test_a_score_that_is_not_finite_is_refused(score):
    data = TensorRows(torch.tensor([[score, 0.0]]), torch.tensor([1]))
    with pytest.raises(DivergenceError, match="not finite"):
        read_scores(nn.Identity(), data, chunk_size=1)


def test_an_empty_set_is_refused(rows):
    with pytest.raises(DataError, match="empty"):
        read_scores(linear_model(5, 3), rows(0), chunk_size=2)


@pytest.mark.parametrize("shape", [nn.Identity(), nn.Flatten(0)])
def test_a_binary_model_with_one_log_odds_scores_as_its_two_class_form(shape):
    two = torch.tensor([[4.0, 0.0], [0.0, 4.0], [1.0, 0.0], [3.0, 0.0]])
    labels = torch.tensor([0, 1, 1, 0])
    single = TensorRows((two[:, 1] - two[:, 0]).unsqueeze(1), labels)
    expected = read_scores(nn.Identity(), TensorRows(two, labels), chunk_size=3)
    found = read_scores(shape, single, chunk_size=3)
    torch.testing.assert_close(found.losses, expected.losses)
    assert torch.equal(found.hits, expected.hits)

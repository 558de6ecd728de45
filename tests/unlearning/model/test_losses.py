import pytest
import torch
from torch import nn

from tests.oracles import Fingerprint, linear_model, softmax_linear_loss
from unlearning.errors import DivergenceError, EvidenceError
from unlearning.model.losses import mean_loss, per_row_loss, score_rows
from unlearning.model.rows import TensorRows


def test_row_losses_are_the_closed_form_in_row_order(rows):
    model, data = linear_model(5, 3), rows(23)
    expected = softmax_linear_loss(model.weight, model.bias, data.inputs, data.labels)
    losses = per_row_loss(model, data, chunk_size=7)
    torch.testing.assert_close(losses, expected, rtol=1e-5, atol=1e-6)
    assert mean_loss(model, data, chunk_size=7) == pytest.approx(float(expected.mean()), rel=1e-6)


def test_accuracy_is_the_share_of_rows_whose_best_score_is_their_label():
    identity = nn.Identity()
    scores = torch.tensor([[2.0, 1.0], [0.0, 1.0], [5.0, 1.0], [3.0, 0.0]])
    data = TensorRows(scores, torch.tensor([0, 1, 1, 0]))
    assert score_rows(identity, data, chunk_size=3).accuracy == 0.75


@pytest.mark.parametrize("name", ["stateful", "exported"])
def test_the_model_is_left_bit_for_bit_as_it_was(name, rows, request):
    model = request.getfixturevalue(name)
    before = Fingerprint.of(model)
    score_rows(model, rows(20), chunk_size=7)
    before.assert_same(model)


def test_very_confident_rows_still_have_different_losses():
    data = TensorRows(torch.tensor([[30.0, 0.0], [40.0, 0.0]]), torch.zeros(2, dtype=torch.int64))
    small, smaller = per_row_loss(nn.Identity(), data, chunk_size=2)
    assert float(small) > float(smaller) >= 0.0


def test_a_loss_that_is_not_finite_is_refused():
    data = TensorRows(torch.tensor([[float("inf"), 0.0]]), torch.tensor([1]))
    with pytest.raises(DivergenceError, match="not finite"):
        score_rows(nn.Identity(), data, chunk_size=1)


def test_row_losses_that_were_not_kept_are_not_made_up(rows):
    scores = score_rows(linear_model(5, 3), rows(4), chunk_size=2)
    with pytest.raises(EvidenceError, match="keep_losses"):
        scores.kept_losses()

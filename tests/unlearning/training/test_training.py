import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from tests.oracles import linear_model, norm_of_all
from unlearning.config.training_config import TrainingConfig
from unlearning.errors import DataError, DivergenceError, UnsupportedModelError
from unlearning.model.rows import TensorRows
from unlearning.model.scores import read_scores
from unlearning.training.architectures import mlp
from unlearning.training.training import batch_indices, train


def separable(count):
    inputs = torch.randn(count, 5)
    return TensorRows(inputs, (inputs[:, 0] > 0).long() + (inputs[:, 1] > 1).long())


@pytest.mark.parametrize("restriction", ["global", "per_tensor", "none"])
def test_training_learns_a_separable_set(restriction):
    data, model = separable(300), mlp(5, [16], 3, seed=0)
    config = TrainingConfig(epochs=30, batch_size=16, learning_rate=1e-2, restriction=restriction)
    train(model, data, config)
    assert read_scores(model, data, chunk_size=100).accuracy > 0.95
    assert not model.training


def test_restriction_leaves_a_smaller_gradient_norm():
    data = separable(200)

    def trained_norm(alpha):
        model = mlp(5, [16], 3, seed=0)
        train(model, data, TrainingConfig(epochs=15, batch_size=50, alpha=alpha))
        loss = cross_entropy(model(data.inputs), data.labels)
        return norm_of_all(list(torch.autograd.grad(loss, list(model.parameters()))))

    assert trained_norm(0.5) < trained_norm(0.0)


def test_the_seed_decides_every_bit_and_the_global_random_numbers_are_left_alone(rows):
    def trained(seed):
        model = nn.Sequential(mlp(5, [8], 8, seed=0), nn.Dropout(0.5), mlp(8, [], 3, seed=1))
        train(model, rows(50), TrainingConfig(epochs=2, batch_size=16, seed=seed))
        return model.state_dict()

    torch.manual_seed(11)
    expected = torch.rand(2)
    torch.manual_seed(11)
    first = trained(0)
    assert torch.equal(torch.rand(2), expected)
    second, third = trained(0), trained(1)
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert not torch.equal(first["0.0.weight"], third["0.0.weight"])


def test_each_epoch_reports_its_number_and_a_falling_loss():
    told = []
    config = TrainingConfig(epochs=5, batch_size=32, learning_rate=1e-2)
    train(mlp(5, [8], 3, seed=0), separable(200), config, on_epoch=lambda *seen: told.append(seen))
    assert [number for number, _ in told] == [1, 2, 3, 4, 5]
    assert told[-1][1] < told[0][1]


@pytest.mark.parametrize(
    ("count", "size", "expected"),
    [(10, 4, [4, 4, 2]), (9, 4, [4, 5]), (1, 4, [1]), (4, 1, [1] * 4)],
)
def test_batches_hold_every_row_once_and_no_lonely_last_one(count, size, expected):
    batches = batch_indices(count, size, torch.Generator().manual_seed(0))
    if size > 1:
        assert [len(batch) for batch in batches] == expected
    assert sorted(torch.cat(batches).tolist()) == list(range(count))


def test_a_lonely_last_row_does_not_stop_batch_norm(stateful, rows):
    train(stateful, rows(17), TrainingConfig(epochs=1, batch_size=8))
    assert stateful.norm.num_batches_tracked == 1 + 2


def test_frozen_parameters_are_not_trained(stateful, rows):
    stateful.first.requires_grad_(requires_grad=False)
    before = stateful.first.weight.clone()
    train(stateful, rows(16), TrainingConfig(epochs=1, batch_size=8))
    assert torch.equal(stateful.first.weight, before)


def test_no_rows_are_refused(rows):
    with pytest.raises(DataError, match="empty"):
        train(mlp(5, [4], 3, seed=0), rows(0), TrainingConfig())


def test_a_label_that_torch_would_pass_over_in_silence_is_refused():
    data = TensorRows(torch.ones(4, 5), torch.tensor([0, 1, 2, -100]))
    with pytest.raises(DataError, match="classes"):
        train(mlp(5, [4], 3, seed=0), data, TrainingConfig())


def test_an_exported_model_is_refused(exported, rows):
    with pytest.raises(UnsupportedModelError, match="baked in"):
        train(exported, rows(4), TrainingConfig())


def test_a_diverging_training_is_stopped(rows):
    config = TrainingConfig(epochs=3, batch_size=4, learning_rate=1e30)
    with pytest.raises(DivergenceError, match="after epoch"):
        train(mlp(5, [4], 3, seed=0), rows(16), config)


@pytest.mark.parametrize("restriction", ["global", "none"])
def test_a_binary_model_with_one_log_odds_can_be_trained(restriction):
    inputs = torch.randn(40, 5)
    data = TensorRows(inputs, (inputs[:, 0] > 0).long())
    model = linear_model(5, 1)
    before = read_scores(model, data, chunk_size=64).mean_loss
    plan = TrainingConfig(epochs=20, batch_size=8, learning_rate=0.05, restriction=restriction)
    train(model, data, plan)
    assert read_scores(model, data, chunk_size=64).mean_loss < 0.7 * before


def test_a_model_with_nothing_to_train_is_refused(rows):
    with pytest.raises(UnsupportedModelError, match="no trainable parameter"):
        train(linear_model(5, 3).requires_grad_(requires_grad=False), rows(8), TrainingConfig())

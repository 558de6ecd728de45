import pytest
import torch
from torch import nn

from unlearning.training.architectures import mlp


def test_the_perceptron_has_the_widths_and_activations_asked_for():
    model = mlp(4, [8, 6], 3, seed=0)
    assert [tuple(value.shape) for value in model.parameters()] == [
        (8, 4), (8,), (6, 8), (6,), (3, 6), (3,)
    ]  # fmt: skip
    assert [type(layer) for layer in model.children()] == [
        nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Linear
    ]  # fmt: skip
    assert model(torch.ones(7, 4)).shape == (7, 3)


def test_no_hidden_layer_gives_a_linear_model():
    assert len(list(mlp(4, [], 2, seed=0).parameters())) == 2


def test_the_seed_decides_the_weights_and_the_global_random_numbers_are_left_alone():
    torch.manual_seed(5)
    expected = torch.randn(3)
    torch.manual_seed(5)
    first, second, third = mlp(4, [3], 2, seed=1), mlp(4, [3], 2, seed=1), mlp(4, [3], 2, seed=2)
    assert torch.equal(torch.randn(3), expected)
    assert torch.equal(first.get_parameter("0.weight"), second.get_parameter("0.weight"))
    assert not torch.equal(first.get_parameter("0.weight"), third.get_parameter("0.weight"))


@pytest.mark.parametrize("widths", [(0, [3], 2), (4, [0], 2), (4, [3], 0)])
def test_a_width_below_one_is_refused(widths):
    with pytest.raises(ValueError, match="at least 1"):
        mlp(*widths, seed=0)

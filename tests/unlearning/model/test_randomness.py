import pytest
import torch
from torch import nn

from unlearning.model.randomness import seeded


def test_a_block_draws_from_its_seed_and_the_caller_draws_on_undisturbed():
    torch.manual_seed(5)
    expected = torch.randn(4)
    torch.manual_seed(5)
    first = torch.randn(2)
    with seeded(1):
        inside = torch.randn(3)
    assert torch.equal(torch.cat([first, torch.randn(2)]), expected)
    with seeded(1):
        assert torch.equal(torch.randn(3), inside)
    with seeded(2):
        assert not torch.equal(torch.randn(3), inside)


def test_layers_made_in_a_block_start_from_its_seed():
    layers = []
    for _ in range(2):
        with seeded(7, "cpu"):
            layers.append(nn.Linear(3, 2))
    assert torch.equal(layers[0].weight, layers[1].weight)


def test_an_error_in_the_block_gives_the_caller_its_numbers_back():
    state = torch.random.get_rng_state()

    def failing():
        with seeded(3):
            torch.randn(2)
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        failing()
    assert torch.equal(torch.random.get_rng_state(), state)

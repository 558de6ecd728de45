import pytest
import torch
from torch import nn

from unlearning.model.state import forward_state, in_own_types, widened


class Mixed(nn.Module):
    """Weights of three precisions, and a buffer that counts."""

    def __init__(self):
        super().__init__()
        self.coarse = nn.Parameter(torch.ones(2, dtype=torch.bfloat16))
        self.fine = nn.Parameter(torch.ones(2, dtype=torch.float64))
        self.register_buffer("mean", torch.ones(2, dtype=torch.float16))
        self.register_buffer("seen", torch.tensor(3))


def kinds(state):
    return {name: value.dtype for name, value in state.items()}


def test_a_wide_state_has_nothing_of_less_than_single_precision():
    assert kinds(forward_state(Mixed(), "cpu", wide=True)) == {
        "coarse": torch.float32,
        "fine": torch.float64,
        "mean": torch.float32,
        "seen": torch.int64,
    }


def test_a_state_is_as_the_model_keeps_it_unless_it_shall_be_wide():
    model = Mixed()
    assert kinds(forward_state(model, "cpu")) == kinds(model.state_dict())


def test_a_wide_state_comes_back_in_the_types_of_the_model_without_loss():
    model = Mixed()
    back = in_own_types(forward_state(model, "cpu", wide=True), model)
    for name, value in model.state_dict().items():
        assert back[name].dtype == value.dtype
        assert torch.equal(back[name], value)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.int64, torch.uint8])
def test_numbers_that_are_precise_enough_are_widened_to_themselves(kind):
    value = torch.ones(2).to(kind)
    assert widened(value) is value

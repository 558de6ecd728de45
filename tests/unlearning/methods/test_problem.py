import pytest
import torch
from torch import nn

from tests.oracles import linear_model
from unlearning.errors import UnsupportedModelError
from unlearning.methods.problem import copied_state, model_state, model_tensors


def test_the_state_is_a_copy_and_the_tensors_are_the_models_own():
    model = linear_model(5, 3)
    assert model_tensors(model)["weight"].data_ptr() == model.weight.data_ptr()
    state = model_state(model)
    assert torch.equal(state["weight"], model.weight)
    assert state["weight"].data_ptr() != model.weight.data_ptr()
    assert not state["weight"].requires_grad


def test_buffers_that_are_kept_with_the_model_belong_to_its_state():
    assert "running_mean" in model_state(nn.BatchNorm1d(3))


def test_state_that_is_not_a_tensor_is_refused():
    class Keeping(nn.Linear):
        def get_extra_state(self):
            return {"steps": 3}

        def set_extra_state(self, state):
            self.steps = state

    with pytest.raises(UnsupportedModelError, match="not a tensor"):
        model_state(Keeping(2, 2))


def test_a_copy_of_a_state_is_cut_loose_from_what_made_it():
    value = torch.ones(2, requires_grad=True) * 2
    copy = copied_state({"value": value})["value"]
    assert torch.equal(copy, value)
    assert copy.grad_fn is None

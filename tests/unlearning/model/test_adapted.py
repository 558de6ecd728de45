"""Models behind an interface have their own weights, modes and copies."""

import math

import pytest
import torch
from torch import nn
from torch.func import functional_call

from unlearning.config.model_interface import ModelInterface
from unlearning.errors import SettingsError, UnsupportedModelError
from unlearning.methods.retrain import retrain_obstacle
from unlearning.model.adapted import Adapted, adapted, inner_of, number_scores, tolerance_of
from unlearning.model.forward import fixed_mode, is_exported, model_copy
from unlearning.model.gradients import mean_gradient
from unlearning.model.rows import TensorRows
from unlearning.model.scores import read_scores
from unlearning.model.weights import model_digest

NUMBERS = ModelInterface(tolerance=2.0)


class Doubting(nn.Module):
    """Weights of its own, and a mode that only it looks at."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0, 2.0]))
        self.register_buffer("shift", torch.tensor(1.0))

    def forward(self, inputs):
        return inputs @ self.weight + self.shift + (100.0 if self.training else 0.0)


ROWS = TensorRows(
    torch.tensor([[1.0, 1.0, 4.0], [1.0, 1.0, 3.0], [0.0, 0.0, 9.0]]), torch.ones(3).long()
)


def test_a_plain_interface_leaves_the_model_as_it_is():
    module = Doubting()
    assert adapted(module, ModelInterface()) is module is inner_of(module)


def test_weights_and_digest_are_those_of_the_model_inside():
    module = Doubting()
    outer = Adapted(module, NUMBERS)
    assert model_digest(outer.state_dict()) == model_digest(module.state_dict())
    outer.load_state_dict({"weight": torch.tensor([3.0, 4.0]), "shift": torch.tensor(0.0)})
    assert module.weight.tolist() == [3.0, 4.0]
    assert inner_of(outer) is module


def test_a_row_is_right_where_the_answer_is_less_than_the_tolerance_off():
    scores = read_scores(Adapted(Doubting(), NUMBERS), ROWS, chunk_size=2)
    assert scores.hits.tolist() == [True, True, False]  # 0, 1 and 8 off
    expected = [math.log(1 + (off / 2) ** 2) for off in (0, 1, 8)]
    assert scores.losses.tolist() == pytest.approx(expected, abs=1e-6)


def test_the_mode_of_the_model_inside_is_set_and_comes_back():
    module = Doubting().train()
    outer = Adapted(module, NUMBERS)
    with fixed_mode(outer):
        assert not module.training
    assert module.training
    outer.eval()
    assert not module.training


def test_other_weights_reach_the_model_inside():
    state = {"weight": torch.tensor([0.0, 0.0]), "shift": torch.tensor(9.0)}
    outer = Adapted(Doubting().eval(), NUMBERS)
    assert functional_call(outer, state, (ROWS.inputs,)).argmax(1).tolist() == [0, 0, 1]


def test_a_copy_has_weights_of_its_own():
    outer = Adapted(Doubting(), NUMBERS)
    copy = inner_of(model_copy(outer))
    with torch.no_grad():
        copy.get_parameter("weight").fill_(7.0)
    assert copy.get_parameter("weight").tolist() == [7.0, 7.0]
    assert outer.get_parameter("weight").tolist() == [1.0, 2.0]


def test_gradients_are_those_of_the_cauchy_loss():
    module = Doubting().eval()
    found = mean_gradient(Adapted(module, NUMBERS), ROWS, chunk_size=2).values["weight"]
    inputs, numbers = ROWS.inputs[:, :-1], ROWS.inputs[:, -1]
    loss = torch.log(1 + ((module(inputs) - numbers) / 2.0) ** 2).mean()
    (expected,) = torch.autograd.grad(loss, [module.weight])
    torch.testing.assert_close(found.float(), expected)


def test_an_exported_model_is_still_known_as_one():
    exported = torch.export.export(nn.Linear(2, 1).eval(), (torch.zeros(2, 2),)).module()
    outer = Adapted(exported, NUMBERS)
    assert is_exported(outer)
    assert read_scores(outer, TensorRows(ROWS.inputs[:2], ROWS.labels[:2]), chunk_size=2)


@pytest.mark.parametrize(
    "answers", [torch.zeros(3, 2), torch.zeros(2), torch.zeros(3).long(), {"y": torch.zeros(3)}]
)
def test_other_answers_than_one_number_for_each_row_are_refused(answers):
    with pytest.raises(UnsupportedModelError, match="one number for each"):
        number_scores(answers, torch.zeros(3), 1.0)


def test_only_its_owner_trains_a_model_of_numbers_anew():
    assert tolerance_of(Adapted(nn.Linear(2, 1), NUMBERS)) == 2.0
    assert tolerance_of(nn.Linear(2, 1)) == 0.0
    assert "recipe" in retrain_obstacle(Adapted(nn.Linear(2, 1), NUMBERS))
    assert not retrain_obstacle(nn.Linear(2, 1))


def test_no_tolerance_is_below_zero():
    with pytest.raises(SettingsError, match="tolerance"):
        ModelInterface(tolerance=-1.0)

"""A model is described by what it is made of."""

import pytest
import torch
from torch import nn

from unlearning.model.form import model_form
from unlearning.training.architectures import mlp


class Tied(nn.Module):
    """Two layers that share one weight."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.second.weight = self.first.weight

    def forward(self, inputs):
        return self.second(self.first(inputs))


def exported(module):
    return torch.export.export(
        module.eval(), (torch.zeros(2, 4),), dynamic_shapes=({0: torch.export.Dim("rows")},)
    ).module()


def test_a_network_is_told_by_its_class_layers_and_numbers():
    found = model_form(mlp(40, (4,), 2, seed=0))
    assert (found.form, found.parameters, found.trainable) == ("pickled", 174, 174)
    assert found.layers["Linear"] == 2
    assert (found.mode_layers, found.tied) == ((), ())


def test_an_exported_one_is_told_by_its_operations():
    found = model_form(exported(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))))
    assert (found.form, found.architecture) == ("exported", "exported program")
    assert found.layers == {"linear": 2, "relu": 1}
    assert found.parameters == found.trainable == 23


MODES = [
    (nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.BatchNorm1d(4)), ("batch norm", "dropout")),
    (nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.0), nn.LayerNorm(4)), ()),
    (nn.LSTM(4, 4, num_layers=2, dropout=0.2), ("dropout",)),
    (nn.MultiheadAttention(4, 2, dropout=0.1), ("dropout",)),
]


@pytest.mark.parametrize(("module", "expected"), MODES)
def test_layers_that_act_otherwise_in_training_are_named(module, expected):
    assert model_form(module).mode_layers == expected


def test_layers_with_a_mode_are_named_in_an_exported_model_too():
    module = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2))
    assert model_form(exported(module)).mode_layers == ("batch norm", "dropout")


def test_weights_that_layers_share_count_once_and_are_named():
    found = model_form(Tied())
    assert (found.parameters, found.tied) == (24, ("second.weight",))


def test_frozen_weights_are_no_part_of_what_an_update_may_move():
    module = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    module[0].requires_grad_(False)
    found = model_form(module)
    assert (found.parameters, found.trainable) == (30, 10)

"""A model of another library is kept, compared and asked as any other module."""

import pytest
import torch
from torch import nn

from unlearning.config.model_interface import ModelInterface
from unlearning.methods.retrain import retrain_obstacle
from unlearning.model.adapted import adapted
from unlearning.model.form import model_form
from unlearning.model.forward import model_copy
from unlearning.model.opaque import OpaqueModel, is_opaque
from unlearning.model.rows import TensorRows
from unlearning.model.scores import read_scores
from unlearning.model.weights import model_digest

ROWS = TensorRows(torch.tensor([[1.0], [2.0]], dtype=torch.float64), torch.tensor([0, 1]))


def model(*files):
    """Answers each row with a score of 0, and one of its number times the files' sum."""

    def scorer(files, rows):
        return torch.cat([torch.zeros(len(rows), 1), rows[:, :1] * int(files.sum())], dim=1)

    return OpaqueModel(torch.tensor(files, dtype=torch.uint8), scorer, "sklearn")


def test_its_scores_are_what_is_answered():
    assert read_scores(model(3), ROWS, chunk_size=1).values.tolist() == [[0, 3], [0, 6]]


def test_files_of_another_size_are_loaded_into_a_copy():
    one, other = model(3), model(1, 1, 2)
    copy = model_copy(one)
    copy.load_state_dict(other.state_dict())
    assert model_digest(copy.state_dict()) == model_digest(other.state_dict())
    assert one.files.tolist() == [3]
    assert read_scores(copy, ROWS, chunk_size=2).values[0, 1] == 4


def test_what_is_no_files_is_refused():
    with pytest.raises(RuntimeError):
        model(3).load_state_dict({"files": torch.zeros(2, 2)})


def test_behind_an_interface_it_is_recognised_and_loaded_as_well():
    def scorer(files, rows):
        return rows[:, 0] * int(files.sum())

    inner = OpaqueModel(torch.tensor([2], dtype=torch.uint8), scorer, "sklearn")
    outer = model_copy(adapted(inner, ModelInterface(tolerance=1.0)))
    outer.load_state_dict({"files": torch.tensor([1, 2], dtype=torch.uint8)})
    rows = TensorRows(torch.tensor([[2.0, 6.5]], dtype=torch.float64), torch.tensor([1]))
    assert is_opaque(outer)
    assert read_scores(outer, rows, chunk_size=1).hits.tolist() == [True]
    assert not is_opaque(nn.Linear(1, 2))


def test_only_its_owner_can_train_it_anew():
    assert "--recipe FILE" in retrain_obstacle(model(3))


def test_nobody_looks_into_it():
    form = model_form(model(3))
    assert (form.form, form.architecture, form.parameters) == ("opaque", "sklearn", 0)

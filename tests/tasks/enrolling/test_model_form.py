"""A model has the form that later steps need, or enrolment says in one sentence what it is."""

import pytest
import torch
from small_tables import rows
from torch import nn

from tasks.enrolling.fit import check_fit
from tasks.enrolling.model_form import check_form
from tasks.journal.events.enrollment import Loss
from unlearning.errors import UnsupportedModelError
from unlearning.model.rows import TensorRows
from unlearning.training.architectures import mlp


class Applied(nn.Module):
    """A linear model with something behind it."""

    def __init__(self, then, width=2):
        super().__init__()
        self.linear, self.then = nn.Linear(40, width), then

    def forward(self, inputs):
        return self.then(self.linear(inputs))


def sample(count=64, width=40):
    torch.manual_seed(0)
    return TensorRows(torch.randn(count, width), torch.arange(count) % 2)


def refused(module, said, *, loss: Loss = "cross_entropy"):
    with pytest.raises(UnsupportedModelError, match=said) as caught:
        check_form(module.eval(), sample(), "income", loss)
    assert str(caught.value).count(". ") == 0  # one sentence


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (mlp(7, (4,), 2, seed=0), "does not take inputs of shape"),
        (Applied(lambda scores: scores[:, :1]), "change --loss"),
        (Applied(torch.Tensor.flatten, width=1), "change --loss"),
        (Applied(lambda scores: scores[:, :, None]), "tells 1 classes apart"),
    ],
    ids=["inputs", "one score", "flat", "a cube"],
)
def test_a_model_whose_scores_say_something_else_is_refused(services, source_of, module, said):
    with pytest.raises(UnsupportedModelError, match=said):
        check_fit(services, module, source_of(rows(300), rows(20, first=300)))


def test_log_odds_of_one_class_alone_fit():
    check_form(Applied(lambda s: s - 50, width=1), sample(), "income", "binary_cross_entropy")


@pytest.mark.parametrize(("width", "loss"), [(1, "binary_cross_entropy"), (2, "cross_entropy")])
def test_scores_that_say_nothing_of_a_row_are_refused(width, loss):
    refused(Applied(lambda s: 0 * s - 3, width=width), "same scores for every row", loss=loss)


class Remembering(nn.Module):
    """A model that keeps more than tensors."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(40, 2)

    def forward(self, inputs):
        return self.linear(inputs)

    def get_extra_state(self):
        return {"epoch": 3}

    def set_extra_state(self, state):
        pass


class Fourier(nn.Module):
    """A model with complex weights."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(40, 2, dtype=torch.complex64))

    def forward(self, inputs):
        return (inputs.to(torch.complex64) @ self.weight).real


class Cut(nn.Module):
    """A model whose scores no gradient reaches."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(40, 2)

    def forward(self, inputs):
        return self.linear(inputs).detach()


OTHERS = {
    "dict": (Applied(lambda s: {"logits": s}), "gives dict in place of one tensor"),
    "tuple": (Applied(lambda s: (s, s)), "gives tuple in place of one tensor"),
    "classes": (Applied(lambda s: s.argmax(1)), "gives int64 in place of one tensor"),
    "one number": (Applied(torch.Tensor.mean), "does not go with"),
    "extra state": (Remembering(), "state that is not a tensor"),
    "complex": (Fourier(), "complex parameters"),
    "no gradient": (Cut(), "No gradient of income"),
}


@pytest.mark.parametrize(("module", "said"), OTHERS.values(), ids=OTHERS)
def test_every_other_form_is_refused_for_what_it_is(module, said):
    refused(module, said)


def test_complex_weights_in_an_exported_model_are_refused_too():
    dim = torch.export.Dim("rows")
    exported = torch.export.export(Fourier(), (torch.zeros(2, 40),), dynamic_shapes=({0: dim},))
    with pytest.raises(UnsupportedModelError, match="complex parameters"):
        check_form(exported.module(), sample(), "income", "cross_entropy")

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


def refused(module, said, *, loss: Loss = "cross_entropy", on=None):
    with pytest.raises(UnsupportedModelError, match=said) as caught:
        check_form(module.eval(), on or sample(), "income", loss)
    assert str(caught.value).count(". ") == 0  # one sentence


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (mlp(7, (4,), 2, seed=0), "does not take inputs of shape"),
        (Applied(lambda scores: scores.softmax(1)), "without its last softmax"),
        (Applied(lambda scores: scores[:, :1]), "change --loss"),
        (Applied(torch.Tensor.flatten, width=1), "change --loss"),
        (Applied(lambda scores: scores[:, :, None]), "tells 1 classes apart"),
    ],
    ids=["inputs", "probabilities", "one score", "flat", "a cube"],
)
def test_a_model_whose_scores_say_something_else_is_refused(services, source_of, module, said):
    with pytest.raises(UnsupportedModelError, match=said):
        check_fit(services, module, source_of(rows(300), rows(20, first=300)))


ENDS = {
    "sigmoid": torch.sigmoid,
    "a confident sigmoid": lambda scores: torch.sigmoid(30 * scores),
    "half a sigmoid": lambda scores: 0.5 + torch.sigmoid(scores) / 4,
    "clipped": lambda scores: scores.clamp(0, 1),
    "always the same": lambda scores: 0 * scores + 0.3,
}


@pytest.mark.parametrize("then", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("is_flat", [False, True])
def test_a_single_probability_is_no_log_odds(then, is_flat):
    torch.manual_seed(0)
    module = Applied(lambda s: then(s.flatten() if is_flat else s), width=1)
    refused(module, "without its last sigmoid", loss="binary_cross_entropy")


def test_a_probability_for_each_class_on_its_own_is_no_score():
    refused(Applied(torch.sigmoid), "without its last sigmoid")


def test_weak_log_odds_between_0_and_1_are_no_probabilities():
    torch.manual_seed(0)
    module = Applied(lambda scores: 0.5 + scores / 50, width=1)
    with torch.no_grad():
        found = module(sample().inputs)
    assert bool(((found >= 0) & (found <= 1)).all())
    check_form(module, sample(), "income", "binary_cross_entropy")


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


class Words(nn.Module):
    """A model of whole numbers."""

    def __init__(self):
        super().__init__()
        self.words, self.linear = nn.Embedding(100, 4), nn.Linear(4, 2)

    def forward(self, inputs):
        return self.linear(self.words(inputs).mean(1))


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
    "half": (mlp(40, (4,), 2, seed=0).half(), r"takes float16 inputs.*call float\(\)"),
    "bfloat16": (mlp(40, (4,), 2, seed=0).bfloat16(), r"takes bfloat16 inputs.*call float\(\)"),
    "double": (mlp(40, (4,), 2, seed=0).double(), r"takes float64 inputs.*call float\(\)"),
    "integers": (Words(), "takes int64 inputs.*module that casts them"),
    "complex": (Fourier(), "complex parameters"),
    "no gradient": (Cut(), "No gradient of income"),
}


@pytest.mark.parametrize(("module", "said"), OTHERS.values(), ids=OTHERS)
def test_every_other_form_is_refused_for_what_it_is(module, said):
    on = sample()
    if isinstance(module, Words):
        on = TensorRows(torch.arange(64 * 40).reshape(64, 40) % 100.0, on.labels)
    refused(module, said, on=on)


def test_complex_weights_in_an_exported_model_are_refused_too():
    dim = torch.export.Dim("rows")
    exported = torch.export.export(Fourier(), (torch.zeros(2, 40),), dynamic_shapes=({0: dim},))
    with pytest.raises(UnsupportedModelError, match="complex parameters"):
        check_form(exported.module(), sample(), "income", "cross_entropy")

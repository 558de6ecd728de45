"""What a model takes and answers with is found out by asking it."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn

from tasks.enrolling.recognition import recognised
from unlearning.config.model_interface import PLAIN, ModelInput, ModelInterface
from unlearning.model.adapted import adapted
from unlearning.training.architectures import mlp


class Applied(nn.Module):
    """A linear model with something behind it."""

    def __init__(self, then, width=2):
        super().__init__()
        self.linear, self.then = nn.Linear(40, width), then

    def forward(self, inputs):
        return self.then(self.linear(inputs))


class Words(nn.Module):
    """A model of whole numbers, with one log-odds if `width` is 1."""

    def __init__(self, width=2, then=lambda scores: scores):
        super().__init__()
        self.words, self.linear, self.then = nn.Embedding(100, 4), nn.Linear(4, width), then

    def forward(self, inputs):
        return self.then(self.linear(self.words(inputs).mean(1)))


@dataclass
class Answer:
    loss: None
    logits: torch.Tensor
    hidden: torch.Tensor


class Pair(NamedTuple):
    scores: Any
    count: int


def rows():
    return torch.randn(64, 40, generator=torch.Generator().manual_seed(0))


def words():
    return torch.arange(64 * 40).reshape(64, 40) % 100.0


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def kind(name, **more):
    return ModelInterface(inputs=(ModelInput(kind=name),), **more)


KINDS = {
    "single": (mlp(40, (4,), 2, seed=0), PLAIN),
    "half": (mlp(40, (4,), 2, seed=0).half(), kind("float16")),
    "bfloat16": (mlp(40, (4,), 2, seed=0).bfloat16(), kind("bfloat16")),
    "double": (mlp(40, (4,), 2, seed=0).double(), kind("float64")),
    "another shape": (mlp(7, (4,), 2, seed=0), PLAIN),
}


@pytest.mark.parametrize(("module", "found"), KINDS.values(), ids=KINDS)
def test_numbers_are_given_in_the_type_that_the_model_takes(module, found):
    assert recognised(module.eval(), rows()) == found


@pytest.mark.parametrize("module", [Words(), Words(width=1)])
def test_a_model_of_words_takes_whole_numbers(module):
    assert recognised(module, words()) == kind("int64")
    assert recognised(module, words() + 0.5) == PLAIN
    assert recognised(module, words() + 2**25) == PLAIN


def exported(module, example):
    dim = torch.export.Dim("rows")
    return torch.export.export(module.eval(), (example,), dynamic_shapes=({0: dim},)).module()


def test_an_exported_model_of_words_takes_whole_numbers_too():
    assert recognised(exported(Words(), words()[:2].long()), words()) == kind("int64")


OUTPUTS = {
    "a dict": (lambda s: {"hidden": s, "logits": s}, "logits"),
    "a dict of one": (lambda s: {"scores": s, "count": 3}, "scores"),
    "a dataclass": (lambda s: Answer(None, s, s), "logits"),
    "a tuple": (lambda s: (s, None), "0"),
    "a named tuple": (lambda s: Pair(s, 3), "scores"),
    "two tensors": (lambda s: (s, s), ""),
    "a text": (lambda s: "no", ""),
}


@pytest.mark.parametrize(("then", "place"), OUTPUTS.values(), ids=OUTPUTS)
def test_scores_are_found_among_several_answers(then, place):
    assert recognised(Applied(then), rows()) == ModelInterface(output=place)


ENDS = {
    "sigmoid": torch.sigmoid,
    "a confident sigmoid": lambda scores: torch.sigmoid(30 * scores),
    "half a sigmoid": lambda scores: 0.5 + torch.sigmoid(scores) / 4,
    "clipped": lambda scores: scores.clamp(0, 1),
}


@pytest.mark.parametrize("then", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("is_flat", [False, True])
def test_a_single_probability_is_known_by_never_leaving_its_limits(then, is_flat):
    module = Applied(lambda s: then(s.flatten() if is_flat else s), width=1)
    assert recognised(module, rows()) == ModelInterface(last_layer="sigmoid")


def test_a_probability_for_each_class_on_its_own_is_known():
    assert recognised(Applied(torch.sigmoid), rows()) == ModelInterface(last_layer="sigmoid")


def test_probabilities_of_classes_are_known_by_their_sum():
    module = Applied(lambda s: {"logits": s.softmax(1)})
    assert recognised(module, rows()) == ModelInterface(output="logits", last_layer="softmax")
    half = Applied(lambda s: s.softmax(1)).bfloat16()
    assert recognised(half, rows()) == kind("bfloat16", last_layer="softmax")


def test_probabilities_of_a_model_of_words_are_known_by_other_weights():
    assert recognised(Words(1, torch.sigmoid), words()) == kind("int64", last_layer="sigmoid")
    weak = Words(1, lambda scores: 0.5 + scores / 50)
    found = weak(words().long())
    assert bool(((found >= 0) & (found <= 1)).all())
    assert recognised(weak, words()) == kind("int64")


def test_weak_log_odds_between_0_and_1_are_no_probabilities():
    module = Applied(lambda scores: 0.5 + scores / 50, width=1)
    found = module(rows())
    assert bool(((found >= 0) & (found <= 1)).all())
    assert recognised(module, rows()) == PLAIN


def test_an_answer_that_is_a_number_is_never_a_probability():
    module = Applied(torch.sigmoid, width=1)
    assert recognised(module, rows(), scores=False) == PLAIN


@pytest.mark.parametrize("then", [torch.sigmoid, lambda s: s.softmax(1)])
@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.bfloat16])
def test_scores_come_back_from_the_probabilities_that_they_made(then, kind):
    module, plain = Applied(then, width=3).to(kind), Applied(lambda s: s, width=3).to(kind)
    plain.load_state_dict(module.state_dict())
    with torch.no_grad():
        scores = adapted(module, recognised(module, rows()))(rows()).double()
        wanted = plain(rows().to(kind)).double()
    away = (scores - wanted).sub((scores - wanted)[:, :1] if then is not torch.sigmoid else 0.0)
    assert float(away.abs().max()) < (0.2 if kind is torch.bfloat16 else 1e-4)

"""Answers of every form as class scores."""

import pytest
import torch

from unlearning.errors import UnsupportedModelError
from unlearning.model.answers import answer_at, class_scores, number_scores, place_of_scores


def test_the_empty_name_stands_for_the_whole_answer():
    scores = torch.zeros(2, 2)
    assert answer_at(scores, "") is scores
    assert place_of_scores(scores) == ""


def test_an_answer_that_lacks_its_scores_is_refused():
    assert answer_at({"logits": 3}, "logits") == 3
    with pytest.raises(UnsupportedModelError, match="no 'logits'"):
        answer_at({"loss": 3}, "logits")


@pytest.mark.parametrize("answer", [{}, (), {"classes": torch.zeros(2).long()}, "text", None])
def test_an_answer_without_a_tensor_of_real_numbers_has_no_scores(answer):
    assert place_of_scores(answer) is None


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_certain_probabilities_have_finite_scores(kind):
    certain = torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=kind)
    for layer in ("softmax", "sigmoid"):
        scores = class_scores(certain, layer)
        assert scores.dtype == kind
        assert bool(scores.isfinite().all())
        assert scores.argmax(1).tolist() == [1, 0]


def test_scores_stay_as_they_are_where_nothing_made_probabilities_of_them():
    scores = torch.zeros(2, 2)
    assert class_scores(scores, "") is scores


def test_an_answer_of_a_dict_is_no_number():
    with pytest.raises(UnsupportedModelError, match="with dict in place of"):
        number_scores({"y": torch.zeros(3)}, torch.zeros(3), 1.0)

"""Models that take and give what they like are erased from as they are."""

import numpy as np
import pytest
import torch
from torch import nn
from torch_models import LENGTH, Lstm, Owned, Probability, Softmax, fractions, texts

from unlearning.config.model_interface import ModelInput, ModelInterface

pytestmark = pytest.mark.filterwarnings("ignore")  # of torch and MLflow about their own formats
NONE = np.zeros((2, LENGTH), dtype=np.float32)


def nll(probabilities, labels):
    return nn.functional.nll_loss(probabilities.float().clamp(min=1e-6).log(), labels)


def test_a_memory_over_ids_of_words_is_erased_from(services, tmp_path):
    world = Owned(services, tmp_path, texts)
    loss = nn.functional.cross_entropy
    example = np.zeros((2, LENGTH), dtype=np.int64)
    world.serve(Lstm(), lambda a, labels: loss(a.logits, labels), torch.int64, example=example)
    found = world.enroll()
    words = ModelInput(kind="int64")
    assert found.interface == ModelInterface(inputs=(words,), output="logits")
    assert found.dataset.whole == ("words",)
    world.erase()
    answer = world.served()(torch.zeros(2, LENGTH, dtype=torch.int64))
    assert answer.logits.shape == (2, 2)  # as before


@pytest.mark.parametrize("form", ["pt2", "pickle"])
def test_a_single_probability_is_erased_from(services, tmp_path, form):
    world = Owned(services, tmp_path, fractions)
    loss = nn.functional.binary_cross_entropy
    module = Probability()
    world.serve(module, lambda p, y: loss(p[:, 0], y.float()), form=form, example=NONE)
    found = world.enroll(loss="binary_cross_entropy")
    assert found.interface == ModelInterface(last_layer="sigmoid")
    world.erase()
    with torch.no_grad():
        answers = world.served()(torch.randn(50, LENGTH))
    assert 0 < float(answers.min()) < float(answers.max()) < 1


def test_probabilities_in_half_precision_are_erased_from(services, tmp_path):
    world = Owned(services, tmp_path, fractions)
    world.serve(Softmax().bfloat16(), nll, torch.bfloat16, example=NONE)
    half = ModelInput(kind="bfloat16")
    assert world.enroll().interface == ModelInterface(inputs=(half,), last_layer="softmax")
    world.erase()
    assert {value.dtype for value in world.served().state_dict().values()} == {torch.bfloat16}

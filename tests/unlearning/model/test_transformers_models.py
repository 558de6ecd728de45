"""Models of transformers need none of its code here: they take and give what its models do."""

from copy import deepcopy
from types import SimpleNamespace

import torch
from torch import nn

from unlearning.config.model_interface import ModelInterface
from unlearning.methods.retrain import retrain_obstacle
from unlearning.model.adapted import adapted, inner_of
from unlearning.model.form import model_form
from unlearning.model.transformers_models import TransformersClassifier, is_of_transformers
from unlearning.model.weights import model_digest


class Texts(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(10, 4)
        self.scores = nn.Linear(4, 3)

    def forward(self, input_ids, attention_mask):
        mask = attention_mask.unsqueeze(-1)
        mean = (self.words(input_ids) * mask).sum(1) / mask.sum(1)
        return SimpleNamespace(logits=self.scores(mean))


class Images(nn.Module):
    def __init__(self):
        super().__init__()
        self.scores = nn.Linear(12, 3)

    def forward(self, pixel_values):
        return SimpleNamespace(logits=self.scores(pixel_values.flatten(1)))


def test_what_is_padding_is_masked():
    model = TransformersClassifier(Texts(), padding=0)
    ids = torch.tensor([[3.0, 4.0, 0.0, 0.0], [3.0, 4.0, 5.0, 6.0]])
    scores = model(ids)
    assert scores.shape == (2, 3)
    assert torch.allclose(scores[:1], model(ids[:1, :2]))
    assert not torch.allclose(scores[0], scores[1])


def test_images_go_in_as_pixels():
    images = Images()
    assert TransformersClassifier(images)(torch.zeros(2, 3, 2, 2)).shape == (2, 3)


def test_pixels_are_centred_and_scaled_channel_by_channel():
    images, pixels = Images(), torch.rand(2, 3, 2, 2)
    mean, spread = (0.1, 0.2, 0.3), (1.0, 2.0, 4.0)
    wanted = torch.stack([(pixels[:, n] - mean[n]) / spread[n] for n in range(3)], dim=1)
    found = deepcopy(TransformersClassifier(images, normal=(mean, spread)))(pixels)
    assert torch.allclose(found, TransformersClassifier(images)(wanted))


def test_the_weights_and_a_copy_are_those_of_the_model_inside():
    texts = Texts()
    model = TransformersClassifier(texts, padding=0)
    assert inner_of(model) is texts
    assert model_digest(model.state_dict()) == model_digest(texts.state_dict())
    copied = deepcopy(model)
    with torch.no_grad():
        next(copied.parameters()).add_(1)
    assert isinstance(copied, TransformersClassifier)
    assert copied.padding == 0
    assert model_digest(copied.state_dict()) != model_digest(texts.state_dict())


def test_it_is_known_behind_another_interface():
    model = TransformersClassifier(Texts(), padding=0)
    assert is_of_transformers(adapted(model, ModelInterface(tolerance=1.0)))
    assert not is_of_transformers(model.inner)
    assert model_form(model).form == "safetensors"


def test_without_a_recipe_only_an_adapter_is_trained_anew():
    whole = TransformersClassifier(Texts(), padding=0)
    assert "in none of its files" in retrain_obstacle(whole)
    next(whole.parameters()).requires_grad = False
    assert retrain_obstacle(whole) == ""

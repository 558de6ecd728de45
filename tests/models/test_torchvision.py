"""ResNet-18 of torchvision, with batch norm, on handwritten digits."""

import numpy as np
import pytest
from logged_models import log_model
from served_models import Served, shuffled, trained, vectors
from sklearn.datasets import load_digits

pytestmark = [pytest.mark.models, pytest.mark.filterwarnings("ignore")]  # theirs about themselves

SHAPE = (1, 8, 8)
RECIPE = """\
import torch
from torch import nn
from torchvision.models import resnet18


def train(rows, *, seed, init):
    torch.manual_seed(seed)
    pixels = rows["features"].combine_chunks().flatten().to_numpy()
    images = torch.tensor(pixels, dtype=torch.float32).reshape(-1, 1, 8, 8) / 16
    labels = torch.tensor(rows["label"].to_numpy())
    model = resnet18(num_classes=10)
    model.conv1 = nn.Conv2d(1, 64, 3, padding=1, bias=False)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(6):
        for batch in torch.randperm(len(rows)).split(64):
            if len(batch) > 1:
                optimiser.zero_grad()
                nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
                optimiser.step()
    return model.eval()
"""


@pytest.fixture
def world(services, tmp_path):
    found = load_digits(return_X_y=True)
    images, labels = shuffled(np.asarray(found[0], np.uint8), np.asarray(found[1], np.int64))
    train, holdout = vectors(images[:500], labels[:500]), vectors(images[500:], labels[500:])
    made = Served(services, tmp_path, train, holdout, shape=SHAPE, scale=16.0)
    example = np.zeros((2, *SHAPE), dtype=np.float32)
    log_model(services, trained(RECIPE, train), model=made.model, example=example)
    return made


def test_a_resnet_forgets(world):
    world.enroll(RECIPE, trust_pickle=True)
    found = world.erase(range(8))
    assert found.rung in ("update", "stronger", "retrain")

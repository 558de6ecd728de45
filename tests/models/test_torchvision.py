"""ResNet-18 of torchvision, with batch norm, on handwritten digits."""

import numpy as np
import pytest
from logged_models import log_model
from served_models import Served, digits, trained

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
    train, holdout = digits(500), digits(1000, first=500)
    made = Served(services, tmp_path, train, holdout, shape=SHAPE, scale=16.0)
    example = np.zeros((2, *SHAPE), dtype=np.float32)
    log_model(services, trained(RECIPE, train), model=made.model, example=example)
    return made


def test_a_resnet_forgets(world):
    world.enroll(RECIPE, trust_pickle=True)
    found = world.erase(range(8))
    assert found.rung in ("update", "stronger", "retrain")

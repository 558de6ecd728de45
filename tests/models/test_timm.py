"""ViT-tiny of timm in MLflow's default form, on handwritten digits."""

import numpy as np
import pytest
from logged_models import log_model
from served_models import Served, digits, trained

pytestmark = [pytest.mark.models, pytest.mark.filterwarnings("ignore")]  # theirs about themselves

SHAPE = (1, 8, 8)
RECIPE = """\
import timm
import torch
from torch import nn


def train(rows, *, seed, init):
    torch.manual_seed(seed)
    pixels = rows["features"].combine_chunks().flatten().to_numpy()
    images = torch.tensor(pixels, dtype=torch.float32).reshape(-1, 1, 8, 8) / 16
    labels = torch.tensor(rows["label"].to_numpy())
    model = timm.create_model(
        "vit_tiny_patch16_224", img_size=8, patch_size=2, in_chans=1, num_classes=10
    )
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(6):
        for batch in torch.randperm(len(rows)).split(32):
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
            optimiser.step()
    return model.eval()
"""


@pytest.fixture
def world(services, tmp_path):
    train, holdout = digits(300), digits(500, first=300)
    made = Served(services, tmp_path, train, holdout, shape=SHAPE, scale=16.0)
    example = np.zeros((2, *SHAPE), dtype=np.float32)
    module = trained(RECIPE, train)
    log_model(services, module, model=made.model, example=example, form="pt2")
    return made


def test_a_vision_transformer_forgets(world):
    world.enroll(RECIPE)
    assert world.erase(range(6)).rung in ("update", "stronger", "retrain")

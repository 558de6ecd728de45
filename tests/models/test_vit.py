"""A small ViT of transformers, from mlflow.transformers to the certificate, on digits."""

import pytest
import transformers
from logged_models import log_classifier
from PIL import Image
from served_models import Served, digits, trained

pytestmark = [pytest.mark.models, pytest.mark.filterwarnings("ignore")]  # theirs about themselves

SHAPE = (3, 8, 8)
RECIPE = """\
import torch
from torch import nn
from transformers import ViTConfig, ViTForImageClassification


def train(rows, *, seed, init):
    torch.manual_seed(seed)
    pixels = rows["features"].combine_chunks().flatten().to_numpy()
    images = torch.tensor(pixels, dtype=torch.float32).reshape(-1, 3, 8, 8) / 16
    labels = torch.tensor(rows["label"].to_numpy())
    model = ViTForImageClassification(
        ViTConfig(
            hidden_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=96,
            image_size=8,
            patch_size=2,
            num_channels=3,
            num_labels=10,
        )
    )
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for _ in range(15):
        for batch in torch.randperm(len(rows)).split(32):
            optimiser.zero_grad()
            scores = model(pixel_values=(images[batch] - 0.5) / 0.5).logits
            nn.functional.cross_entropy(scores, labels[batch]).backward()
            optimiser.step()
    return model.eval()
"""


@pytest.fixture
def world(services, tmp_path):
    train, holdout = digits(300, channels=3), digits(600, first=300, channels=3)
    made = Served(services, tmp_path, train, holdout, shape=SHAPE, scale=16.0)
    processor = transformers.ViTImageProcessor(
        size={"height": 8, "width": 8}, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )
    pipeline = transformers.pipeline(
        "image-classification", model=trained(RECIPE, train), image_processor=processor
    )
    log_classifier(services, pipeline, model=made.model)
    return made


def test_a_vit_forgets_and_is_served_on(world):
    world.enroll(RECIPE)
    assert world.erase(range(6)).rung in ("update", "stronger", "retrain")
    found = world.load()(Image.new("RGB", (8, 8)))
    assert {one["label"] for one in found} <= {f"LABEL_{number}" for number in range(10)}

"""A module of Lightning with dropout, in MLflow's default form, on handwritten digits."""

import numpy as np
import pytest
from logged_models import log_model
from served_models import Served, digits, trained

pytestmark = [pytest.mark.models, pytest.mark.filterwarnings("ignore")]  # theirs about themselves

RECIPE = """\
import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Digits(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 10)
        )

    def forward(self, inputs):
        return self.net(inputs)

    def training_step(self, batch, number):
        inputs, labels = batch
        return nn.functional.cross_entropy(self(inputs), labels)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def train(rows, *, seed, init):
    lightning.seed_everything(seed, verbose=False)
    pixels = rows["features"].combine_chunks().flatten().to_numpy()
    inputs = torch.tensor(pixels, dtype=torch.float32).reshape(-1, 64) / 16
    labels = torch.tensor(rows["label"].to_numpy())
    model = Digits()
    trainer = lightning.Trainer(
        max_epochs=20,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    loader = DataLoader(TensorDataset(inputs, labels), batch_size=32, shuffle=True)
    trainer.fit(model, loader)
    return model.eval()
"""


@pytest.fixture
def world(services, tmp_path):
    train, holdout = digits(300), digits(600, first=300)
    made = Served(services, tmp_path, train, holdout, scale=16.0)
    module = trained(RECIPE, train)
    example = np.zeros((2, 64), dtype=np.float32)
    log_model(services, module, model=made.model, example=example, form="pt2")
    return made


def test_a_lightning_module_forgets(world):
    world.enroll(RECIPE)
    assert world.erase(range(6)).rung in ("update", "stronger", "retrain")

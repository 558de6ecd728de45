import pytest
import torch
from torch import nn

from tests.unlearning.methods.calibrated.examples import FEATURES, World, noisy_rows
from unlearning.config.training_config import TrainingConfig
from unlearning.model.rows import TensorRows
from unlearning.training.training import train


@pytest.fixture(scope="session")
def world():
    data = noisy_rows(600, 1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(FEATURES, 128), nn.ReLU(), nn.Linear(128, 2))
    plan = TrainingConfig(epochs=30, batch_size=100, learning_rate=1e-2, restriction="none")
    train(model, data, plan)
    return World(
        model=model,
        forget=TensorRows(data.inputs[:150], data.labels[:150]),
        retain=TensorRows(data.inputs[150:], data.labels[150:]),
        unseen=noisy_rows(150, 7),
        holdout=noisy_rows(500, 2),
        judge=noisy_rows(1500, 3),
    )

"""Recipes as owners write them, and the models that they train."""

from pathlib import Path

from torch import nn

MLP = """\
import torch
from torch import nn


def train(rows, *, seed, init):
    values = rows["features"].combine_chunks().flatten().to_numpy()
    inputs = torch.tensor(values, dtype=torch.float32).reshape(len(rows), 40)
    labels = torch.tensor(rows["label"].to_numpy())
    model = nn.Sequential(nn.Linear(40, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2))
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(20):
        for batch in torch.randperm(len(rows)).split(32):
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(inputs[batch]), labels[batch]).backward()
            optimiser.step()
    return model
"""
"""Of a network with dropout, for the features of `small_tables`."""

CNN = (
    MLP.replace("len(rows), 40", "len(rows), 1, 5, 8")
    .replace(
        "nn.Linear(40, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2)",
        "nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), "
        "nn.Linear(160, 2)",
    )
    .replace("return model", "return model.state_dict()")
)
"""Of a small convolutional network with batch norm."""


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(40, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2))


def cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(160, 2)
    )


def written(folder: Path, code: str) -> str:
    """The recipe as a file; its path."""
    file = folder / "train.py"
    file.write_text(code)
    return str(file)


def said(body: str) -> bytes:
    """A recipe whose `train` does this."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return f"def train(rows, *, seed, init):\n{lines}\n".encode()

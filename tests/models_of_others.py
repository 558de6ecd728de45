"""Models that were written and trained without expunge in mind."""

from torch import nn


class WithoutReset(nn.Module):
    """A layer of somebody's own that cannot be given fresh weights."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(nn.Linear(40, 2).weight.detach())

    def forward(self, inputs):
        return inputs @ self.weight.T


class Convolutions(nn.Module):
    """Small images, with batch norm and dropout."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.Flatten()
        )
        self.head = nn.Sequential(nn.Dropout(0.1), nn.Linear(32 * 40, 96), nn.ReLU())
        self.scores = nn.Linear(96, outputs)

    def forward(self, images):
        return self.scores(self.head(self.features(images)))


class LogOdds(nn.Module):
    """A binary model that gives one log-odds for each row."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images):
        scores = self.model(images)
        return scores[:, 1:] - scores[:, :1]

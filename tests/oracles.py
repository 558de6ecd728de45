"""Closed forms and brute-force answers that the mathematics is held against; no code of ours."""

from dataclasses import dataclass
from math import exp, log

import torch
from torch import Tensor, nn


def linear_model(features: int, classes: int) -> nn.Linear:
    generator = torch.Generator().manual_seed(7)
    model = nn.Linear(features, classes)
    with torch.no_grad():
        model.weight.copy_(torch.randn(classes, features, generator=generator))
        model.bias.copy_(torch.randn(classes, generator=generator))
    return model


def softmax_linear_gradient(
    weight: Tensor, bias: Tensor, inputs: Tensor, labels: Tensor
) -> dict[str, Tensor]:
    """(P - Y)^T X / n and the mean of P - Y, in float64."""
    inputs, weight, bias = inputs.double(), weight.detach().double(), bias.detach().double()
    exponentials = torch.exp(inputs @ weight.T + bias)
    excess = exponentials / exponentials.sum(dim=1, keepdim=True)
    excess[torch.arange(len(labels)), labels] -= 1.0
    return {"weight": excess.T @ inputs / len(labels), "bias": excess.mean(dim=0)}


def softmax_linear_loss(weight: Tensor, bias: Tensor, inputs: Tensor, labels: Tensor) -> Tensor:
    """-log p of each row's label, in float64."""
    scores = inputs.double() @ weight.detach().double().T + bias.detach().double()
    return torch.log(torch.exp(scores).sum(dim=1)) - scores[torch.arange(len(labels)), labels]


def first_adam_step(start: Tensor, gradient: Tensor, learning_rate: float) -> Tensor:
    """Bias correction cancels both moments, which leaves g / (|g| + eps)."""
    return start - learning_rate * gradient / (gradient.abs() + 1e-8)


@dataclass(frozen=True)
class Quadratic:
    """Row i has the loss h/2 (theta - a_i)^2 element by element: Hessian h I, optimum mean(a)."""

    points: Tensor  # [n, d]
    curvature: float

    def gradient(self, theta: Tensor) -> Tensor:
        return self.curvature * (theta - self.points.mean(dim=0))

    def optimum(self) -> Tensor:
        return self.points.mean(dim=0)


def pairwise_auc(members: list[float], others: list[float]) -> float:
    """Every pair counted by hand; a low loss speaks for membership, a tie counts one half."""
    pairs = [(member, other) for member in members for other in others]
    wins = sum(1.0 if member < other else 0.5 for member, other in pairs if member <= other)
    return wins / len(pairs)


def sum_of_norms(parts: list[Tensor]) -> float:
    return sum(float(part.square().sum()) ** 0.5 for part in parts)


def norm_of_all(parts: list[Tensor]) -> float:
    return sum(float(part.square().sum()) for part in parts) ** 0.5


@dataclass(frozen=True)
class Fingerprint:
    """Everything of a model that an update must leave alone, bit for bit."""

    tensors: dict[str, Tensor]
    modes: list[bool]
    wants_gradient: list[bool]
    gradients: list[Tensor | None]

    @classmethod
    def of(cls, model: nn.Module) -> "Fingerprint":
        named = [*model.named_parameters(), *model.named_buffers()]
        return cls(
            tensors={name: value.detach().clone() for name, value in named},
            modes=[layer.training for layer in model.modules()],
            wants_gradient=[value.requires_grad for value in model.parameters()],
            gradients=[value.grad for value in model.parameters()],
        )

    def assert_same(self, model: nn.Module) -> None:
        now = Fingerprint.of(model)
        assert self.tensors.keys() == now.tensors.keys()
        assert all(torch.equal(value, now.tensors[name]) for name, value in self.tensors.items())
        assert self.modes == now.modes
        assert self.wants_gradient == now.wants_gradient
        pairs = zip(self.gradients, now.gradients, strict=True)
        assert all(before is after for before, after in pairs)


def log_odds_of_label(scores: list[float], label: int) -> float:
    """log p_y - log(1 - p_y) from the probabilities; 1 - p_y is the sum of the others."""
    top = max(scores)
    weights = [exp(score - top) for score in scores]
    share = weights[label] / sum(weights)
    others = sum(weight for place, weight in enumerate(weights) if place != label) / sum(weights)
    return log(share) - log(others)


def midpoint_shares(values: list[float], points: list[float]) -> list[float]:
    """Share of values below each point, equal ones counted half, half a row away from 0 and 1."""
    edge = 0.5 / len(values)
    counts = [sum(1.0 if v < p else 0.5 for v in values if v <= p) for p in points]
    return [min(max(count / len(values), edge), 1 - edge) for count in counts]


def binary_linear_gradient(model: nn.Linear, inputs: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """(sigmoid(z) - y) x / n and its sum without x, in float64, for one log-odds z per row."""
    odds = inputs.double() @ model.weight.detach().double()[0] + model.bias.detach().double()
    excess = 1 / (1 + torch.exp(-odds)) - labels.double()
    return {"weight": (excess @ inputs.double() / len(labels))[None], "bias": excess.mean()[None]}

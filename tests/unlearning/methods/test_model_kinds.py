"""Every method on every kind of layer: a new state, or one of our errors that says why not."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn

from tests.oracles import Fingerprint
from tests.unlearning.conftest import Attending, Bag, Tempered
from unlearning.config.calibration_config import CalibrationConfig
from unlearning.config.method_configs import CurvatureConfig
from unlearning.config.training_config import TrainingConfig
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.errors import UnsupportedModelError
from unlearning.methods.catalog import METHODS, unlearn
from unlearning.methods.problem import UnlearningProblem
from unlearning.model.rows import TensorRows


class Reading(nn.Module):
    """A layer, what is read from it, and a last layer."""

    def __init__(self, layer: nn.Module, read: Callable, width: int):
        super().__init__()
        self.layer, self.read, self.last = layer, read, nn.Linear(width, 3)

    def forward(self, inputs):
        return self.last(self.read(self.layer, inputs))


def whole(layer: nn.Module, width: int) -> nn.Module:
    return Reading(layer, lambda one, inputs: one(inputs).flatten(1), width)


def tied() -> nn.Module:
    model = nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 6), nn.Linear(6, 3))
    model[2].weight = model[0].weight
    return model


def words(layer: nn.Module) -> nn.Module:
    read = lambda one, inputs: one((3 * inputs).long().abs().clamp(max=9)).mean(1)  # noqa: E731
    return Reading(layer, read, 4)


FLAT, IMAGE, SERIES = (6,), (3, 6, 6), (5, 4)
weight_norm = nn.utils.parametrizations.weight_norm
KINDS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "one number": (lambda: Tempered(6, 3), FLAT),
    "tied": (tied, FLAT),
    "half frozen": (lambda: whole(nn.Linear(6, 8).requires_grad_(requires_grad=False), 8), FLAT),
    "parametrised": (lambda: whole(weight_norm(nn.Linear(6, 8)), 8), FLAT),
    "bilinear": (lambda: Reading(nn.Bilinear(6, 6, 4), lambda one, x: one(x, x), 4), FLAT),
    "normed": (
        lambda: whole(nn.Sequential(nn.LayerNorm(6), nn.Linear(6, 4), nn.PReLU(4)), 4),
        FLAT,
    ),
    "batch norm": (
        lambda: whole(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), 64),
        IMAGE,
    ),
    "groups": (lambda: whole(nn.Sequential(nn.Conv2d(3, 6, 3, groups=3), nn.SiLU()), 96), IMAGE),
    "mirrored": (
        lambda: whole(nn.Conv2d(3, 2, 3, padding="same", padding_mode="reflect"), 72),
        IMAGE,
    ),
    "transposed": (
        lambda: whole(nn.Sequential(nn.ConvTranspose2d(3, 2, 2), nn.GroupNorm(1, 2)), 98),
        IMAGE,
    ),
    "over time": (lambda: whole(nn.Conv1d(5, 4, 2), 12), SERIES),
    "recurrent": (
        lambda: Reading(nn.LSTM(4, 6, batch_first=True), lambda one, x: one(x)[0][:, -1], 6),
        SERIES,
    ),
    "attention": (Attending, FLAT),
    "words": (lambda: words(nn.Embedding(10, 4, padding_idx=0)), FLAT),
    "bag": (Bag, FLAT),
    "dropped out": (lambda: whole(nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5)), 8), FLAT),
    "statistics of the batch": (
        lambda: whole(
            nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8, track_running_stats=False)), 8
        ),
        FLAT,
    ),
    "sparse": (lambda: Bag(sparse=True), FLAT),
    "twin": (lambda: nn.DataParallel(nn.Linear(6, 3)), FLAT),
}
OF_THE_BATCH = "statistics of the batch"
REFUSED = {"sparse": "sparse gradients", "twin": "spread over"}
REFUSED_BY = {
    ("bag", "influence_cg"): "no second derivative",
    ("one number", "retrain"): "reset_parameters",
    ("parametrised", "retrain"): "reset_parameters",
    (OF_THE_BATCH, "fisher_forgetting"): "single row",
    (OF_THE_BATCH, "ssd"): "single row",
}
QUICK = UnlearningConfig(
    calibration=CalibrationConfig(max_steps=3, tolerance=1e-6, remaining_share=0.0),
    curvature=CurvatureConfig(iterations=3, selection=0.1, dampening=0.05),
    retraining=TrainingConfig(epochs=1, batch_size=16),
)


def problem(model: nn.Module, shape: tuple[int, ...], forgotten: int) -> UnlearningProblem:
    random = torch.Generator().manual_seed(3)

    def rows(count: int) -> TensorRows:
        inputs = torch.randn(count, *shape, generator=random)
        return TensorRows(inputs, torch.randint(0, 3, (count,), generator=random))

    return UnlearningProblem(model=model, forget=rows(forgotten), retain=rows(40), holdout=rows(20))


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_of_model_is_unlearned_or_refused_with_a_reason(kind, method):
    build, shape = KINDS[kind]
    model = build()
    before = Fingerprint.of(model)
    given, plan = problem(model, shape, 9), replace(QUICK, method=method)
    reason = REFUSED.get(kind) or REFUSED_BY.get((kind, method))
    if reason is None:
        state = unlearn(given, plan)
        assert state.keys() == model.state_dict().keys()
        assert all(bool(value.isfinite().all()) for value in state.values())
        moved = [n for n, value in before.tensors.items() if not torch.equal(state[n], value)]
        assert moved
        assert not {n for n, value in model.named_parameters() if not value.requires_grad} & {
            *moved
        }
    else:
        with pytest.raises(UnsupportedModelError, match=reason):
            unlearn(given, plan)
    before.assert_same(model)


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("kind", ["dropped out", "batch norm"])
def test_the_mode_of_the_model_makes_no_difference(kind, method):
    build, shape = KINDS[kind]
    model, plan = build(), replace(QUICK, method=method)
    one, other = (unlearn(problem(model.train(is_on), shape, 9), plan) for is_on in (True, False))
    assert all(torch.equal(one[name], value) for name, value in other.items())


@pytest.mark.parametrize("method", sorted(set(METHODS) - {"fine_tune", "retrain"}))
def test_a_single_row_of_a_model_that_needs_more_is_refused_with_a_reason(method):
    build, shape = KINDS[OF_THE_BATCH]
    with pytest.raises(UnsupportedModelError, match="row"):
        unlearn(problem(build(), shape, 1), replace(QUICK, method=method))

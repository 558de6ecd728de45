"""Canaries: what an attack sees of rows that were learned to be seen, and learned harder."""

from typing import Any

import pytest
import torch
from torch import nn

from tests.oracles import Fingerprint
from unlearning.config.training_config import TrainingConfig
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.evaluation.canaries import CanaryTest, canary_control
from unlearning.methods.problem import UnlearningProblem
from unlearning.model.rows import TensorRows
from unlearning.training.training import train

FEATURES = 20


def noise(count, seed, features=FEATURES):
    """Labels that nothing but the row itself tells: a model can only learn them by heart."""
    random = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, features, generator=random)
    return TensorRows(inputs, torch.randint(2, (count,), generator=random))


def learned_by(epochs):
    """A model that learned its rows for so long."""
    torch.manual_seed(0)
    rows: dict[str, Any] = {
        name: noise(200, seed) for seed, name in enumerate(("forget", "retain", "holdout"))
    }
    model = nn.Sequential(nn.Linear(FEATURES, 128), nn.ReLU(), nn.Linear(128, 2))
    both = TensorRows(
        torch.cat([rows["forget"].inputs, rows["retain"].inputs]),
        torch.cat([rows["forget"].labels, rows["retain"].labels]),
    )
    train(model, both, TrainingConfig(epochs=epochs, batch_size=50, learning_rate=3e-3))
    return model, rows


@pytest.fixture(scope="module")
def world():
    return learned_by(60)


def asked_of_the_loss() -> CanaryTest:
    return CanaryTest(
        unseen=noise(400, 5),
        canaries=torch.arange(100, 200),
        attack="loss",
        references=torch.empty(0, 400),
        false_alarm=0.01,
        min_class_rows=50,
    )


def test_canaries_are_seen_once_they_are_learned_and_not_once_they_are_erased(world):
    model, rows = world
    problem = UnlearningProblem(model=model, **rows)
    test = asked_of_the_loss()
    before = Fingerprint.of(model)
    found = canary_control(problem, test, UnlearningConfig())
    before.assert_same(model)
    assert found.count == 100
    assert found.erased < found.limit < found.planted
    assert found.seen >= found.planted
    small = canary_control(problem, test, UnlearningConfig(chunk_size=48))
    assert small.planted == pytest.approx(found.planted, abs=1e-2)
    # An update that does nothing would be seen to do nothing.
    lame = canary_control(problem, test, UnlearningConfig(method="theory_step", step_size=1e-12))
    assert lame.planted == found.planted
    assert lame.erased == pytest.approx(lame.planted, abs=1e-3)


def test_canaries_that_a_general_model_hardly_learns_are_learned_harder():
    model, rows = learned_by(1)
    test = asked_of_the_loss()
    found = canary_control(UnlearningProblem(model=model, **rows), test, UnlearningConfig())
    assert found.planted < 2 * found.limit - 0.5
    assert found.pressed is not None
    assert found.seen == found.pressed > 0.8

"""What a check tries on a sample: the time of each rung, and what the attack sees."""

from dataclasses import replace

import pytest
import torch
from models_of_others import WithoutReset
from small_tables import rows

from tasks.datasets.samples import sample_rows
from tasks.enrolling import estimates as tried
from tasks.enrolling.estimates import by_recipe, estimates
from tasks.enrolling.recipe_check import Trial
from tasks.enrolling.recipes.kept import Recipe
from tasks.registry.services import Services
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.training_config import TrainingConfig
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.training.architectures import mlp

TRAINING = TrainingConfig(epochs=2, batch_size=32)


@pytest.fixture
def source(source_of):
    return replace(
        source_of(rows(300), rows(300, first=300)),
        policy=GatePolicy(references=2, reference_rows=50),
        unlearning=UnlearningConfig(retraining=TRAINING),
    )


def look(services, source, module):
    rehearsing = Services.rehearsing(services.settings)
    sample = sample_rows(services.settings, source.dataset, 0, count=64, seed=0)
    return estimates(rehearsing, source, 1, module, sample)


def test_each_rung_and_the_references_are_timed_and_the_attack_is_tried(services, source):
    module = mlp(40, (8,), 2, seed=0)
    before = [value.clone() for value in module.parameters()]
    found = look(services, source, module)
    assert set(found.seconds) == {"retrain", "reference models", "update", "stronger update"}
    assert all(one > 0 for one in found.seconds.values())
    # 300 rows once against 50 rows twice.
    assert found.seconds["retrain"] == pytest.approx(3 * found.seconds["reference models"])
    assert found.references == 2
    assert found.power is not None
    assert 0 <= found.power.auc <= 1
    assert not list(services.store.list_objects("references/"))
    assert all(map(torch.equal, before, module.parameters()))


def test_references_that_would_take_long_are_left_and_the_loss_alone_is_tried(
    services, source, monkeypatch
):
    monkeypatch.setattr(tried, "_PATIENCE", 0.0)
    found = look(services, source, mlp(40, (8,), 2, seed=0))
    assert found.references == 0
    assert found.power is not None
    assert found.power.attack == "loss"


def test_what_cannot_be_done_has_no_time(services, source):
    assert set(look(services, source, WithoutReset()).seconds) == {"update", "stronger update"}
    exact = replace(source, unlearning=UnlearningConfig(method="retrain", retraining=TRAINING))
    found = look(services, exact, mlp(40, (8,), 2, seed=0))
    assert set(found.seconds) == {"retrain", "reference models"}


def test_each_model_by_a_recipe_takes_a_process_and_the_rows_that_it_was_tried_on(services, source):
    trial = Trial(recipe=Recipe(b""), start=10.0, pace=0.1, tried=256)
    found = by_recipe(services, source, trial)
    assert found == {
        "retrain": pytest.approx(10 + 300 * 0.1),
        "reference models": pytest.approx(2 * (10 + 256 * 0.1)),
    }

"""A recipe that trains worse than the served version was trained is told from one that does not."""

import logging
from dataclasses import replace

import pytest
import recipes_of_owners as owners
from small_tables import rows

from tasks.enrolling import recipe_check
from tasks.enrolling.recipe_check import check_recipe
from tasks.enrolling.recipe_quality import refuse_worse
from tasks.enrolling.recipes.kept import Recipe
from tasks.enrolling.recipes.trained import train_by_recipe
from unlearning.config.gate_policy import GatePolicy
from unlearning.errors import RecipeError
from unlearning.methods.problem import model_state

SOUND = Recipe(owners.MLP.encode())
WRONG = Recipe(owners.MLP.replace("labels = torch", "labels = 1 - torch").encode())


@pytest.fixture
def source(source_of):
    found = source_of(rows(400, seed=1), rows(800, first=400, seed=2), sample=400)
    return replace(found, policy=GatePolicy(references=0))


@pytest.fixture
def served(services, source):
    """A network that its owner trained by the sound recipe, on rows of the table."""
    module = owners.mlp()
    batches = rows(400, seed=1).select(["features", "label"]).to_batches()
    known = {"name": "income", "tables": (), "like": module, "seed": 1}
    module.load_state_dict(train_by_recipe(services, SOUND, batches, **known).state)
    return module


def test_a_recipe_that_cannot_pass_the_gate_is_refused_before_anybody_relies_on_it(
    services, source, served, caplog
):
    caplog.set_level(logging.INFO, "expunge")
    before = model_state(served)
    refuse_worse(services, SOUND, source, served)
    assert "trained by its recipe on all 400 rows" in caplog.text
    with pytest.raises(RecipeError, match="which the gate would reject: train in the recipe"):
        refuse_worse(services, WRONG, source, served)
    wider = replace(source, policy=GatePolicy(references=0, max_exact_accuracy_loss=1.0))
    refuse_worse(services, WRONG, wider, served)
    assert all(bool((before[name] == value).all()) for name, value in model_state(served).items())


def test_what_takes_long_is_not_tried_on_all_rows(services, source, caplog, monkeypatch):
    caplog.set_level(logging.INFO, "expunge")
    monkeypatch.setattr(recipe_check, "_SOON_SECONDS", 0)
    check_recipe(services, SOUND, source, owners.mlp())
    assert "so that all 400 take about" in caplog.text
    assert "on all 400 rows" not in caplog.text

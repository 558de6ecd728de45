"""A recipe is tried when its model is enrolled, and nothing is recorded of one that fails."""

import logging
from dataclasses import replace

import factories
import pytest
import recipes_of_owners as owners
from logged_models import log_model
from small_tables import rows

from tasks.enrolling.enroll import enroll_version
from tasks.enrolling.recipe_check import check_recipe, checked_recipe
from tasks.enrolling.recipes.kept import Recipe
from tasks.journal.reading import record_enrollment
from unlearning.errors import RecipeError


@pytest.fixture
def source(source_of):
    return source_of(rows(300), rows(300, first=300))


def test_it_says_how_long_all_rows_would_take(services, source, caplog):
    caplog.set_level(logging.INFO, "expunge")
    trial = check_recipe(services, Recipe(owners.MLP.encode()), source, owners.mlp())
    assert trial.seconds(10) == trial.seconds(256) < trial.seconds(10_000)
    assert trial.seconds(0) > trial.start > 0  # a process starts, however few the rows are
    assert "its recipe trained on 256 rows" in caplog.text
    assert "so that all 300 take about" in caplog.text
    assert "no more than one answer for all" not in caplog.text


def test_it_warns_of_a_recipe_that_learns_nothing_in_the_form_that_is_served(
    services, source, caplog
):
    idle = owners.MLP.replace("range(20)", "range(0)").replace(
        "    return model", "    nn.init.zeros_(model[3].weight)\n    return model"
    )
    check_recipe(services, Recipe(idle.encode()), source, owners.mlp())
    assert "no more than one answer for all would be" in caplog.text


@pytest.mark.filterwarnings("ignore")  # of torch and MLflow about their own formats
def test_a_recipe_that_fails_leaves_nothing_behind(services, source, tmp_path):
    log_model(services, owners.mlp(), form="pt2", model=source.model)
    code = "def train(rows, *, seed, init):\n    1 / 0\n"
    bad = replace(source, recipe=owners.written(tmp_path, code))
    with pytest.raises(RecipeError, match="raises ZeroDivisionError in line 2"):
        enroll_version(services, bad, None, trust_pickle=False)
    kept = {info.key.partition("/")[0] for info in services.store.list_objects("")}
    assert kept <= {"scans"}  # a cache


def test_it_says_so_where_a_model_loses_its_recipe(services, source, caplog):
    assert checked_recipe(services, source, owners.mlp()) is None
    assert "has none from now on" not in caplog.text
    record_enrollment(services.journal, factories.enrollment(recipe="recipes/a.py"))
    assert checked_recipe(services, source, owners.mlp()) is None
    assert "has none from now on" in caplog.text

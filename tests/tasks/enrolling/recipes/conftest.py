"""A few rows, and recipes run on them."""

from dataclasses import replace

import pytest
from recipes_of_owners import mlp
from small_tables import rows

from tasks.enrolling.recipes.kept import Recipe
from tasks.enrolling.recipes.trained import train_by_recipe


@pytest.fixture
def batches():
    return rows(40).select(["features", "label"]).to_batches()


@pytest.fixture
def trained(services, batches):
    """Trains a network with dropout by a recipe, on forty rows."""

    def run(code, *, like=None, tables=(), seconds=None, python="", **settings):
        known = replace(services, settings=services.settings.model_copy(update=settings))
        return train_by_recipe(
            known,
            Recipe(code if isinstance(code, bytes) else code.encode(), python),
            batches,
            name="income",
            tables=tables,
            like=like or mlp(),
            seed=3,
            most_seconds=seconds,
        )

    return run

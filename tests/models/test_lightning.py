"""A module of Lightning with dropout, in MLflow's default form, on handwritten digits."""

import numpy as np
import pytest
from docs.commands import recipe
from logged_models import log_model
from served_models import Served, digits, trained

pytestmark = [pytest.mark.models, pytest.mark.filterwarnings("ignore")]  # theirs about themselves

RECIPE = recipe("docs/how-to/recipe.md", "lightning")


@pytest.fixture
def world(services, tmp_path):
    train, holdout = digits(300), digits(600, first=300)
    made = Served(services, tmp_path, train, holdout, scale=16.0)
    module = trained(RECIPE, train)
    example = np.zeros((2, 64), dtype=np.float32)
    log_model(services, module, model=made.model, example=example, form="pt2")
    return made


def test_a_lightning_module_forgets(world):
    world.enroll(RECIPE)
    assert world.erase(range(6)).rung in ("update", "stronger", "retrain")

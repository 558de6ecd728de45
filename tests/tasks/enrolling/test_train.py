"""A network trained here is registered once, under the alias, with what it left out."""

import pytest
from small_tables import rows

from tasks.enrolling.train import train_version
from tasks.registry import model_files
from tasks.registry.mlflow_registry import LEFT_OUT_TAG, TRAINING_EXPERIMENT
from tasks.subjects import suppression_list
from unlearning.config.training_config import TrainingConfig

CONFIG = TrainingConfig(epochs=2, batch_size=32, seed=3)

# MLflow and torch warn of their own type hints and formats.
pytestmark = pytest.mark.filterwarnings("ignore")


def test_a_training_makes_one_version_however_often_it_is_asked_for(services, source_of):
    source = source_of(rows(120), rows(20, first=120))
    assert train_version(services, source, (8,), CONFIG) == 1
    services.registry.drop_alias("income")
    assert train_version(services, source, (8,), CONFIG) == 1
    assert services.registry.alias_version("income") == 1
    tags = services.registry.version_tags("income", 1)
    assert tags[LEFT_OUT_TAG] == suppression_list.load(services).digest
    found = model_files.load_model(services.registry, "income", 1)
    shapes = [tuple(value.shape) for value in found.module.state_dict().values()]
    assert shapes == [(8, 40), (8,), (2, 8), (2,)]
    (run,) = services.registry.client.search_runs(
        [services.registry.experiment_id(TRAINING_EXPERIMENT)]
    )
    assert (run.data.params["epochs"], run.data.params["hidden"]) == ("2", "8")


def test_another_seed_is_another_version(services, source_of):
    source = source_of(rows(120), rows(20, first=120))
    first = train_version(services, source, (8,), CONFIG)
    other = TrainingConfig(epochs=2, batch_size=32, seed=4)
    assert train_version(services, source, (8,), other) == first + 1

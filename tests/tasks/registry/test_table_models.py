"""Versions that name a table: by a tag, by their model's tag, or by a dataset of their run."""

import json
import uuid
from types import SimpleNamespace

import pytest
from mlflow.entities import Dataset, DatasetInput

from tasks.registry.mlflow_registry import DATASET_TAG
from tasks.registry.table_models import naming
from tasks.store.address import canonical

TABLE, OTHER = "s3://lake/train", "s3://lake/other"


def logged(client, source, name="dataset"):
    """A run to which a dataset was logged."""
    experiment = client.get_experiment_by_name("theirs")
    number = experiment.experiment_id if experiment else client.create_experiment("theirs")
    run = client.create_run(number).info.run_id
    # MLflow takes datasets of one name and digest for one.
    dataset = Dataset(
        name=name, digest=uuid.uuid4().hex[:8], source_type="delta_dataset_source", source=source
    )
    client.log_inputs(run, datasets=[DatasetInput(dataset)])
    return run


@pytest.fixture
def mlflow(services):
    client = services.registry.client

    def register(model, *, of_model="", run=None, **tags):
        client.create_registered_model(model, tags={DATASET_TAG: of_model} if of_model else {})
        client.create_model_version(model, f"s3://elsewhere/{model}", run_id=run, tags=tags)

    return SimpleNamespace(registry=services.registry, client=client, register=register)


def test_a_version_names_a_table_by_its_tag_its_model_or_its_run(mlflow):
    client = mlflow.client
    mlflow.register("tagged", **{DATASET_TAG: f"{TABLE}/"})
    mlflow.register("mapped", of_model="s3a://lake//train")
    source = json.dumps({"path": TABLE, "delta_table_version": 3})
    mlflow.register("logged", run=logged(client, source))
    mlflow.register("named", run=logged(client, "no JSON", name=TABLE))
    mlflow.register("elsewhere", of_model=OTHER, run=logged(client, json.dumps([1])))
    mlflow.register("silent")
    found = {one.model: (one.version, one.by) for one in naming(mlflow.registry, [TABLE])}
    assert found == {
        "tagged": (1, "its tag"),
        "mapped": (1, "the tag of its model"),
        "logged": (1, "a dataset of its run"),
        "named": (1, "a dataset of its run"),
    }
    (other,) = naming(mlflow.registry, [OTHER])
    assert (other.model, other.digest, other.effect) == ("elsewhere", "", "")
    assert list(naming(mlflow.registry, [])) == []


def test_a_path_on_this_machine_is_an_address_too(mlflow, tmp_path):
    place = str(tmp_path / "train")
    mlflow.register("local", run=logged(mlflow.client, json.dumps({"uri": place})))
    (one,) = naming(mlflow.registry, [canonical(f"file://{place}")])
    assert one.model == "local"

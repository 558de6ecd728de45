"""MLflow says when a version was made, and from what."""

import mlflow
import numpy as np
import pytest
from logged_models import log_model
from mlflow.data.dataset import Dataset
from small_tables import write_tables

from tasks.registry.origins import LoggedTable, origin_of
from unlearning.training.architectures import mlp

pytestmark = pytest.mark.filterwarnings("ignore")


def test_a_version_is_as_old_as_its_logged_model_however_late_it_is_registered(services):
    log_model(services, mlp(40, (4,), 2, seed=0))
    client = services.registry.client
    first = client.get_model_version("income", "1")
    client.create_registered_model("copy")
    client.create_model_version("copy", first.source, model_id=first.model_id)
    origins = [origin_of(services.registry, name, 1) for name in ("income", "copy")]
    assert None not in origins
    one, copy = (origin for origin in origins if origin is not None)
    assert copy.made_at == one.made_at
    assert one.began_at <= one.made_at
    assert not one.is_ours


def test_what_a_run_logged_as_its_training_table_is_told(services, tmp_path):
    train, holdout = write_tables(tmp_path / "tables", train=5, holdout=5)
    mlflow.set_tracking_uri(services.settings.tracking_uri)
    experiment = mlflow.create_experiment("theirs", (tmp_path / "theirs").as_uri())
    with mlflow.start_run(experiment_id=experiment):
        for path, context in ((train, "training"), (holdout, "testing")):
            source = {"path": path, "delta_table_version": 7}
            mlflow.log_input(DeltaInput(source), context=context)
        mlflow.pytorch.log_model(
            mlp(40, (4,), 2, seed=0),
            name="model",
            registered_model_name="income",
            input_example=np.zeros((2, 40), dtype=np.float32),
            pip_requirements=["torch"],
        )
    found = origin_of(services.registry, "income", 1)
    assert found is not None
    assert found.tables == (LoggedTable(train, 7),)


def test_a_version_that_mlflow_does_not_know_has_no_origin(services):
    assert origin_of(services.registry, "nothing", 1) is None


class DeltaInput(Dataset):
    """A Delta table as a run logs it, without Spark."""

    def __init__(self, facts):
        from mlflow.data.delta_dataset_source import DeltaDatasetSource

        source = DeltaDatasetSource(facts["path"], delta_table_version=facts["delta_table_version"])
        super().__init__(source, name="train", digest="d")

    def to_dict(self):
        import json

        return super().to_dict() | {"schema": json.dumps({}), "profile": json.dumps({})}

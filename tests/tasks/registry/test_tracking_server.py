"""MLflow as people run it: a server that checks more than the embedded one, files in a bucket."""

import numpy as np
import pytest
import servers
from torch import nn

from tasks.registry import artifacts, mlflow_registry, model_files, model_versions
from tasks.store.opening import open_store
from tests.conftest import forget_settings

pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings("ignore")]


def register():
    run = mlflow_registry.ensure_run("theirs", "effect", "a run")
    source = model_files.log_new(run, nn.Linear(3, 2), np.zeros((2, 3), dtype=np.float32))
    mlflow_registry.create_version("income", source, run, {mlflow_registry.EFFECT_TAG: "effect"})
    assert mlflow_registry.find_version("income", "effect") == 1
    assert model_files.load_model("income", 1).module is not None


def purge(stored):
    """Delete the version and its files, which `stored` counts where they really lie."""
    found = model_versions.registered_versions("income")[1]
    place = model_versions.own_place("income", found)
    logged = model_versions.logged_models(found, "effect")
    assert place.is_own
    assert list(logged.values()) == [place.uri]
    assert artifacts.look(place.uri).objects == stored() > 0

    model_versions.delete_version("income", 1, list(logged))
    artifacts.wipe(place.uri)
    assert model_versions.is_deleted("income", 1, list(logged))
    assert artifacts.look(place.uri).is_empty
    assert stored() == 0


def test_a_version_is_registered_found_by_its_effect_and_purged_at_a_server(home, monkeypatch):
    with servers.mlflow_server(home, servers.free_port()) as address:
        monkeypatch.setenv("EXPUNGE_MLFLOW_TRACKING_URI", address)
        forget_settings()
        register()
        purge(lambda: sum(path.is_file() for path in (home / "artifacts").rglob("*")))


def test_the_same_with_the_files_in_a_versioned_bucket(home, s3_bucket):
    place = f"s3://{s3_bucket}/mlflow"
    mlflow_registry.client().create_experiment("theirs", artifact_location=place)
    register()
    bucket = open_store(place)
    model = next(i.key for i in bucket.list_objects("") if i.key.endswith("MLmodel"))
    bucket.put(model, bucket.get(model))  # an older version of it stays behind
    assert bucket.count_noncurrent("") == 1
    purge(lambda: sum(1 for _ in bucket.list_objects("")))
    assert bucket.count_noncurrent("") == 0

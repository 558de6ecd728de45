"""MLflow as people run it: a server that checks more than the embedded one, files in a bucket."""

import numpy as np
import pytest
import servers
from torch import nn

from tasks.environment.settings import load_settings
from tasks.registry import (
    artifacts,
    examples,
    logged_files,
    mlflow_registry,
    model_files,
    model_versions,
)
from tasks.registry.mlflow_registry import Registry
from tasks.store.opening import open_store

pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings("ignore")]


def register(registry):
    run = registry.ensure_run("theirs", "effect", "a run")
    source = logged_files.log_new(
        registry.settings, run, nn.Linear(3, 2), np.zeros((2, 3), dtype=np.float32)
    )
    registry.create_version("income", source, run, {mlflow_registry.EFFECT_TAG: "effect"})
    assert registry.find_version("income", "effect") == 1
    assert model_files.load_model(registry, "income", 1).module is not None


def purge(registry, stored):
    """Delete the version and its files, which `stored` counts where they really lie."""
    found = model_versions.registered_versions(registry, "income")[1]
    place = model_versions.own_place(registry, "income", found)
    logged = model_versions.logged_models(registry, found, "effect")
    assert place.is_own
    assert list(logged.values()) == [place.uri]
    assert artifacts.files_left(registry.settings, place.uri).objects == stored() > 0

    model_versions.delete_version(registry, "income", 1, list(logged))
    artifacts.wipe(registry.settings, place.uri)
    assert model_versions.is_deleted(registry, "income", 1, list(logged))
    assert artifacts.files_left(registry.settings, place.uri).is_empty
    assert stored() == 0


def test_a_version_is_registered_found_by_its_effect_and_purged_at_a_server(home, monkeypatch):
    with servers.mlflow_server(home, servers.free_port()) as address:
        monkeypatch.setenv("EXPUNGE_MLFLOW_TRACKING_URI", address)
        registry = Registry(load_settings())
        register(registry)
        purge(registry, lambda: sum(path.is_file() for path in (home / "artifacts").rglob("*")))


def test_the_same_with_the_files_in_a_versioned_bucket(home, s3_bucket):
    place = f"s3://{s3_bucket}/mlflow"
    registry = Registry(load_settings())
    registry.client.create_experiment("theirs", artifact_location=place)
    register(registry)
    bucket = open_store(place, load_settings())
    model = next(i.key for i in bucket.list_objects("") if i.key.endswith("MLmodel"))
    bucket.put(model, bucket.get(model))  # an older version of it stays behind
    assert bucket.count_noncurrent("") == 1
    purge(registry, lambda: sum(1 for _ in bucket.list_objects("")))
    assert bucket.count_noncurrent("") == 0


def test_no_older_object_version_of_a_replaced_example_stays_in_a_bucket(home, s3_bucket):
    place = f"s3://{s3_bucket}/mlflow/model"
    registry = Registry(load_settings())
    bucket = open_store(place, load_settings())
    bucket.put("input_example.json", b"[[1.5, 2.5]]")
    bucket.put("data/model.pt2", b"weights")
    (held,) = examples.read_examples(registry, place).values()
    examples.write_example(registry, place, "input_example.json", examples.neutral(held))
    assert examples.read_examples(registry, place) == {"input_example.json": [[0.0, 0.0]]}
    assert bucket.count_noncurrent("") == 0
    assert bucket.get("data/model.pt2") == b"weights"

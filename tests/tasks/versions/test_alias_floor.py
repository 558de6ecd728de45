"""An alias that somebody moves back to weights that remember is moved forward again."""

import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

import mlflow
import mlflow.pytorch
import numpy as np
import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from tasks.enrolling import enroll
from tasks.journal.events.versions import AliasRestored
from tasks.registry import logged_files, mlflow_registry
from tasks.registry.mlflow_registry import RETIRED_TAG, Registry
from tasks.versions import alias_floor
from unlearning.errors import ConflictError, DataError, SettingsError
from unlearning.training.architectures import mlp

# MLflow and torch warn of their own type hints and formats.
pytestmark = pytest.mark.filterwarnings("ignore")


def test_a_rollback_by_hand_is_undone_once(world):
    world.set_alias(1)
    (breach,) = alias_floor.breaches(world.services)
    assert (breach.found, breach.floor) == (1, 2)
    assert alias_floor.enforce(world.services) == []
    assert world.champion() == 2
    before = world.effects()
    assert alias_floor.enforce(world.services) == []
    assert world.effects() == before
    world.set_alias(1)
    alias_floor.enforce(world.services)
    assert world.champion() == 2
    assert len(world.events(AliasRestored)) == 2


def test_a_rollback_that_is_undone_and_not_recorded_is_found_undone(world, monkeypatch):
    world.set_alias(1)
    with monkeypatch.context() as patch:
        move = Registry.move_alias

        def die(*arguments, **named):
            move(*arguments, **named)
            raise KeyboardInterrupt

        patch.setattr(Registry, "move_alias", die)
        with pytest.raises(KeyboardInterrupt):
            alias_floor.enforce(world.services)
    assert world.champion() == 2
    assert list(alias_floor.breaches(world.services)) == []
    world.set_alias(1)
    alias_floor.enforce(world.services)
    assert world.champion() == 2
    assert len(world.events(AliasRestored)) == 1


def test_without_the_version_that_forgot_the_alias_is_dropped(world):
    world.services.registry.client.delete_model_version("income", "2")
    world.set_alias(1)
    (lost,) = alias_floor.enforce(world.services)
    assert "Train income anew" in lost
    assert world.champion() is None
    assert world.enrolled().is_withdrawn
    assert alias_floor.enforce(world.services) == []
    # Set once more, it is dropped once more, and cannot be enrolled to get around that.
    world.set_alias(1)
    world.services.registry.client.delete_model_version_tag("income", "1", RETIRED_TAG)
    with pytest.raises(ConflictError, match="trained without them"):
        enroll.enroll_version(world.services, world.source(), None, trust_pickle=False)
    assert len(alias_floor.enforce(world.services)) == 1
    assert world.champion() is None
    assert world.train().version == 3
    assert not world.enrolled().is_withdrawn
    assert alias_floor.enforce(world.services) == []


def test_a_batch_on_the_table_of_a_model_without_a_floor_is_certified(world):
    world.services.registry.client.delete_model_version("income", "2")
    world.set_alias(1)
    alias_floor.enforce(world.services)
    world.submit("next", [50])
    world.run()
    assert 50 not in world.there()
    assert world.requests()["next-50"].status == "erased"
    (model,) = world.certificate("next-50")["models"]
    assert (model["outcome"], model["parent_version"]) == ("out of service", 2)
    assert model["reason"].startswith("It lost its alias, since no version")


def weights_file(world, version):
    """Where MLflow keeps the weights."""
    found = world.services.registry.client.get_model_version_download_uri("income", str(version))
    (file,) = Path(unquote(urlsplit(found).path)).rglob("*.pt2")
    return file


@pytest.mark.parametrize("damage", ["exchanged", "cut off", "gone"])
def test_damaged_weights_of_the_floor_are_not_served(world, damage):
    world.set_alias(1)
    data = weights_file(world, 2)
    kept = data.read_bytes()
    try:
        if damage == "exchanged":
            shutil.copy(weights_file(world, 1), data)
        elif damage == "cut off":
            data.write_bytes(kept[: len(kept) // 2])
        else:
            data.unlink()
        assert len(alias_floor.enforce(world.services)) == 1
        assert world.champion() is None
    finally:
        data.write_bytes(kept)


@pytest.mark.parametrize(
    ("place", "name", "error", "expected"),
    [
        (
            mlflow.artifacts,
            "download_artifacts",
            ClientError({"Error": {"Code": "ExpiredToken"}}, "GetObject"),
            DataError,
        ),
        (mlflow.artifacts, "download_artifacts", NoCredentialsError(), SettingsError),
        (mlflow.pytorch, "load_model", ModuleNotFoundError("torchvision"), SettingsError),
        (mlflow.pytorch, "load_model", RuntimeError("archive version"), SettingsError),
        (mlflow.pytorch, "load_model", TypeError("unexpected argument"), SettingsError),
    ],
    ids=["access", "credentials", "code", "another torch", "another package"],
)
def test_weights_out_of_reach_are_not_taken_for_lost(
    world, monkeypatch, place, name, error, expected
):
    def refuse(*_, **__):
        raise error

    world.set_alias(1)
    with monkeypatch.context() as patch:
        patch.setattr(place, name, refuse)
        with pytest.raises(expected):
            alias_floor.enforce(world.services)
    assert not world.enrolled().is_withdrawn
    assert alias_floor.enforce(world.services) == []
    assert world.champion() == 2


def test_a_version_that_is_not_on_record_is_not_the_floors_business(world):
    source = world.services.registry.client.get_model_version("income", "2").source
    world.services.registry.client.create_model_version("income", source)
    world.set_alias(3)
    before = world.effects()
    assert alias_floor.enforce(world.services) == []
    assert world.effects() == before
    world.submit("next", [50])
    with pytest.raises(ConflictError, match="enrol version 3"):
        world.run()


def test_old_weights_under_a_new_number_are_a_rollback_as_well(world):
    source = world.services.registry.client.get_model_version("income", "1").source
    world.services.registry.client.create_model_version("income", source)
    world.set_alias(3)
    (breach,) = alias_floor.breaches(world.services)
    assert (breach.found, breach.floor) == (3, 2)
    assert alias_floor.enforce(world.services) == []
    assert world.champion() == 2


def test_a_copy_of_weights_that_remember_is_refused(world):
    source = world.services.registry.client.get_model_version("income", "1").source
    world.services.registry.client.create_model_version("income", source)
    with pytest.raises(ConflictError, match="trained without them"):
        enroll.enroll_version(world.services, world.source(), 3, trust_pickle=False)


def test_a_candidate_of_an_older_snapshot_is_refused_by_its_tags(world):
    module = mlp(inputs=40, hidden=(8,), classes=2, seed=3)
    run_id = world.services.registry.ensure_run(
        mlflow_registry.TRAINING_EXPERIMENT, "elsewhere", "elsewhere"
    )
    uri = logged_files.log_new(
        world.services.settings, run_id, module, np.zeros((2, 40), dtype=np.float32)
    )
    tags = {"expunge.dataset": world.table, "expunge.dataset_version": "0"}
    world.services.registry.create_version("income", uri, run_id, tags)
    with pytest.raises(ConflictError, match="trained without them"):
        enroll.enroll_version(world.services, world.source(), 3, trust_pickle=False)
    world.services.registry.tag_version("income", 3, {"expunge.dataset_version": "90"})
    assert enroll.enroll_version(world.services, world.source(), 3, trust_pickle=False).version == 3

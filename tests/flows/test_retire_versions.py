"""The flow that takes old versions out of use, on a model that has forgotten."""

import json
import threading
import time
from dataclasses import asdict, replace

import pytest
from erased_world import world
from mlflow import MlflowClient
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_LOGGING_TO_API_ENABLED,
    temporary_settings,
)

from flows.process_deletions import process_deletions
from flows.retire_versions import retire_versions
from tasks.environment.settings import load_settings
from tasks.journal.events.versions import VersionPurged, VersionRetired
from tasks.registry.services import Services
from tasks.store import lease
from unlearning.errors import ConflictError

__all__ = ["world"]


@pytest.mark.integration
def test_a_version_that_remembers_is_retired_and_waits_for_its_days(world, prefect_api):
    world.forget_without_retiring(20)
    with temporary_settings({PREFECT_API_URL: prefect_api, PREFECT_LOGGING_TO_API_ENABLED: False}):
        assert retire_versions() == 0
        assert retire_versions() == 0
    world.services = Services.open(load_settings())
    assert [e.facts.version for e in world.events(VersionRetired)] == [1, 2]
    assert world.champion() == 3
    client = MlflowClient(f"sqlite:///{world.folder.parent / 'home' / 'mlflow.db'}")
    assert len(client.search_model_versions("name = 'income'")) == 3


@pytest.mark.integration
def test_nothing_is_retired_while_another_run_is_at_work(world, prefect_api):
    world.forget_without_retiring(20)
    other = replace(lease.this_process(), machine="another")
    world.store.put("lease/900000.json", json.dumps(asdict(other)).encode())
    over = threading.Event()

    def beat():
        while not over.wait(0.1):
            world.store.put("lease/900000.beat", str(time.monotonic()).encode())

    alive = threading.Thread(target=beat)
    alive.start()
    try:
        with temporary_settings(
            {PREFECT_API_URL: prefect_api, PREFECT_LOGGING_TO_API_ENABLED: False}
        ):
            assert retire_versions() == 0
    finally:
        over.set()
        alive.join()
    world.services = Services.open(load_settings())
    assert [e.facts.version for e in world.events(VersionRetired)] == [1]


@pytest.mark.integration
def test_a_run_purges_what_is_due_itself(world, prefect_api, monkeypatch):
    world.submit("first", [20])
    world.run()  # later tests need the files of the versions before
    monkeypatch.setenv("EXPUNGE_RETIREMENT_DAYS", "0")
    world.services = Services.open(load_settings())
    world.forget_without_retiring(21)
    with temporary_settings({PREFECT_API_URL: prefect_api, PREFECT_LOGGING_TO_API_ENABLED: False}):
        assert process_deletions() == 0
    (purged,) = world.events(VersionPurged)
    assert purged.facts.version == 3


@pytest.mark.integration
def test_a_run_ends_with_an_alarm_while_a_copy_serves_what_remembers(world, prefect_api):
    client = world.services.registry.client
    client.copy_model_version("models:/income/1", "prod-income")
    client.set_registered_model_alias("prod-income", "champion", "1")
    world.submit("next", [30])
    with (
        temporary_settings({PREFECT_API_URL: prefect_api, PREFECT_LOGGING_TO_API_ENABLED: False}),
        pytest.raises(ConflictError, match="prod-income version 1 has the alias champion"),
    ):
        process_deletions()
    world.services = Services.open(load_settings())
    assert world.requests()["next-30"].status == "erased"

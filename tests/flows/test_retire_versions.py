"""The flow that takes old versions out of use, on a model that has forgotten."""

import pytest
from erased_world import template, world
from mlflow import MlflowClient
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_LOGGING_TO_API_ENABLED,
    temporary_settings,
)

from flows.retire_versions import retire_versions
from tasks.environment.settings import load_settings
from tasks.journal.events.versions import VersionRetired
from tasks.registry.services import Services

__all__ = ["template", "world"]


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

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
from tasks.journal.events.versions import VersionRetired

__all__ = ["template", "world"]


@pytest.mark.integration
def test_a_version_that_remembers_is_retired_and_waits_for_its_days(world, prefect_api):
    with temporary_settings({PREFECT_API_URL: prefect_api, PREFECT_LOGGING_TO_API_ENABLED: False}):
        assert retire_versions() == 0
        assert retire_versions() == 0
    (retired,) = world.events(VersionRetired)
    assert retired.facts.version == 1
    assert world.champion() == 2
    client = MlflowClient(f"sqlite:///{world.folder.parent / 'home' / 'mlflow.db'}")
    assert len(client.search_model_versions("name = 'income'")) == 2

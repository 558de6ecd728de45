"""Versions made by hand in a real MLflow, before and after a promotion."""

import pytest
from hand_made_versions import HandMadeVersions
from small_tables import MARK


@pytest.fixture
def made(services, tmp_path, monkeypatch) -> HandMadeVersions:
    return HandMadeVersions(services, tmp_path, monkeypatch)


@pytest.fixture
def promoted(made) -> HandMadeVersions:
    """Version 1 remembers Ada, who left with version 2; the batch is closed."""
    made.promote("b-1", [f"{MARK}-1"])
    made.close("b-1")
    return made

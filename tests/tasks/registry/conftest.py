import pytest
from hand_made_versions import HandMadeVersions


@pytest.fixture
def made(services, tmp_path, monkeypatch) -> HandMadeVersions:
    """One version of one model in a real MLflow, with its files."""
    return HandMadeVersions(services, tmp_path, monkeypatch)

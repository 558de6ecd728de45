"""MLflow as a server, which checks more than the embedded one does."""

import numpy as np
import pytest
import servers
from torch import nn

from tasks import artifacts, model_versions, registry
from tests.conftest import forget_settings


@pytest.mark.integration
@pytest.mark.filterwarnings("ignore")
def test_a_version_is_registered_found_by_its_effect_and_purged(home, monkeypatch):
    with servers.mlflow_server(home, servers.free_port()) as address:
        monkeypatch.setenv("EXPUNGE_MLFLOW_TRACKING_URI", address)
        forget_settings()
        run = registry.ensure_run("theirs", "effect", "a run")
        source = registry.log_new(run, nn.Linear(3, 2), np.zeros((2, 3), dtype=np.float32))
        registry.create_version("income", source, run, {registry.EFFECT_TAG: "effect"})
        assert registry.find_version("income", "effect") == 1
        assert registry.load_model("income", 1).module is not None

        found = model_versions.registered_versions("income")[1]
        place = model_versions.own_place("income", found)
        logged = model_versions.logged_models(found, "effect")
        assert place.is_own
        assert list(logged.values()) == [place.uri]
        stored = [path for path in (home / "artifacts").rglob("*") if path.is_file()]
        assert artifacts.look(place.uri).objects == len(stored) > 0

        model_versions.delete_version("income", 1, list(logged))
        artifacts.wipe(place.uri)
        assert model_versions.is_deleted("income", 1, list(logged))
        assert artifacts.look(place.uri).is_empty
        assert not any(path.is_file() for path in (home / "artifacts").rglob("*"))

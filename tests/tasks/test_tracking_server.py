"""MLflow as a server, which checks more than the embedded one does."""

import numpy as np
import pytest
import servers
from torch import nn

from tasks import registry
from tests.conftest import forget_settings


@pytest.mark.integration
@pytest.mark.filterwarnings("ignore")
def test_a_version_is_registered_and_found_by_its_effect(home, monkeypatch):
    with servers.mlflow_server(home, servers.free_port()) as address:
        monkeypatch.setenv("EXPUNGE_MLFLOW_TRACKING_URI", address)
        forget_settings()
        run = registry.ensure_run("theirs", "effect", "a run")
        source = registry.log_new(run, nn.Linear(3, 2), np.zeros((2, 3), dtype=np.float32))
        registry.create_version("income", source, run, {registry.EFFECT_TAG: "effect"})
        assert registry.find_version("income", "effect") == 1
        assert registry.load_model("income", 1).module is not None

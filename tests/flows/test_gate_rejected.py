"""A model that failed the gate is a state of the run: named, with its reason, and no traceback."""

import logging
import shutil
from pathlib import Path

import pytest
from erased_world import world
from prefect.engine import handle_engine_signals
from prefect.flow_engine import run_flow
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_LOGGING_TO_API_ENABLED,
    temporary_settings,
)

from flows.process_deletions import GATE_REJECTED, process_deletions, run_now
from unlearning.errors import GateRejectedError

__all__ = ["world"]


def weights_of(services, version):
    place = services.registry.client.get_model_version_download_uri("income", str(version))
    (found,) = Path(place.removeprefix("file://")).rglob("*.pt2")
    return found


@pytest.fixture
def hopeless(world, prefect_api):
    """A request to a model whose files somebody replaced: no rung makes it forget."""
    world.submit("H", [20])
    file = weights_of(world.services, 2)
    kept = file.read_bytes()
    try:
        shutil.copy(weights_of(world.services, 1), file)
        with temporary_settings(
            {PREFECT_API_URL: prefect_api, PREFECT_LOGGING_TO_API_ENABLED: False}
        ):
            yield world
    finally:
        file.write_bytes(kept)


@pytest.mark.integration
def test_a_refused_gate_is_a_state_with_a_name_and_a_reason(hopeless):
    state = process_deletions(return_state=True)
    assert (state.is_failed(), state.name) == (True, GATE_REJECTED)
    assert state.message.startswith("income blocked: No rung was enough")
    with pytest.raises(GateRejectedError, match="income blocked: No rung was enough"):
        run_now()


@pytest.mark.integration
def test_a_worker_logs_a_refused_gate_in_one_line(hopeless, caplog):
    logging.getLogger("prefect").propagate = True
    with pytest.raises(SystemExit), handle_engine_signals():
        run_flow(process_deletions)
    said = [r for r in caplog.records if "No rung was enough" in r.getMessage()]
    assert said
    assert not [r for r in caplog.records if r.exc_info]
    assert all("\n" not in r.getMessage() for r in said)

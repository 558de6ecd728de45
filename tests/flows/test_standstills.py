"""Whatever stops a run for good is told by `expunge status` until it is gone."""

import json
import shutil
from pathlib import Path

import pytest
from erased_world import world
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_LOGGING_TO_API_ENABLED,
    temporary_settings,
)

from flows.commands.status import status
from flows.process_deletions import process_deletions
from tasks.subjects import open_batches
from unlearning.errors import DataError

__all__ = ["world"]


def alarms(capsys):
    capsys.readouterr()
    status(as_json=True)
    return json.loads(capsys.readouterr().out)["alarms"]


@pytest.mark.integration
def test_status_says_what_stopped_a_run_until_a_run_gets_through(world, prefect_api, capsys):
    folder = Path(world.table.removeprefix("file://"))
    foreign, away = folder / "notes.txt", folder.with_name("away")
    with temporary_settings({PREFECT_API_URL: prefect_api, PREFECT_LOGGING_TO_API_ENABLED: False}):
        foreign.write_text("ask the data platform first")
        world.submit("first", [20])
        with pytest.raises(DataError):
            process_deletions()
        (batch,) = open_batches.open_batches(world.services)
        (said,) = alarms(capsys)
        assert f"Batch {batch} stands still" in said
        assert "*.txt" in said  # names of files may be people's
        foreign.unlink()

        shutil.move(folder, away)
        with pytest.raises(DataError):
            process_deletions()
        (said,) = alarms(capsys)
        assert f"{world.table} is no Delta table" in said
        shutil.copytree(away, folder, dirs_exist_ok=True)

        assert process_deletions() == 1
        assert alarms(capsys) == []
    assert world.certificate("first-20")["outcome"] == "erased"

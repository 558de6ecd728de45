"""After a restore of tables and of the alias: one command finds it, the next one mends it."""

import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient
from small_tables import MARK, subject
from terminal import request

from tasks.environment.settings import load_settings
from tasks.tables.delta import count_by_subject, open_table

pytestmark = [pytest.mark.integration, pytest.mark.slow]

FORGOTTEN = range(150)


def registry(terminal) -> MlflowClient:
    return MlflowClient(f"sqlite:///{terminal.home / 'mlflow.db'}")


def champion(terminal) -> int:
    return int(registry(terminal).get_model_version_by_alias("income", "champion").version)


def roll_back(terminal) -> None:
    registry(terminal).set_registered_model_alias("income", "champion", "1")


def test_a_restore_is_replayed(terminal):
    terminal.train()
    train = Path(terminal.train_table)
    shutil.copytree(train, train.with_name("backup"))
    terminal.submit("requests.jsonl", [request(i) for i in FORGOTTEN])
    terminal.expunge("run")
    assert champion(terminal) == 2
    assert terminal.status()["alarms"] == []

    shutil.rmtree(train)
    shutil.copytree(train.with_name("backup"), train)
    roll_back(terminal)
    alarms = terminal.status()["alarms"]
    assert "points to version 1, which remembers" in alarms[0]
    assert all("income" in one and "version 1" in one for one in alarms)
    printed = terminal.expunge("replay")
    assert "income points to version 1" in printed
    assert "150 erased subjects are back" in printed
    assert champion(terminal) == 2
    terminal.expunge("run")
    subjects = [subject(i) for i in FORGOTTEN]
    assert (
        count_by_subject(open_table(load_settings(), train.as_uri()), "subject_id", subjects) == {}
    )
    assert champion(terminal) == 2
    outcomes = terminal.outcomes()
    assert (len(outcomes), set(outcomes.values())) == (300, {"erased"})
    assert "Nobody who was erased is back" in terminal.expunge("replay")

    # With nothing new to do, a run still looks at the aliases first.
    roll_back(terminal)
    assert "It is back on version 2" in terminal.expunge("run")
    assert champion(terminal) == 2
    assert MARK not in terminal.printed

import json
import subprocess
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path

import pytest
import servers
from mlflow import MlflowClient
from terminal import request

pytestmark = pytest.mark.integration

PROJECT = Path(__file__).parents[2]


def prefect(terminal, *arguments):
    done = subprocess.run(
        [str(servers.BIN / "prefect"), "--no-prompt", *map(str, arguments)],
        env=terminal.environment,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=servers.PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run(terminal, deployment):
    """Trigger it, and wait until it has ended."""
    prefect(terminal, "deployment", "run", deployment, "--watch", "--watch-interval", 1)


def champion(terminal) -> int:
    client = MlflowClient(f"sqlite:///{terminal.home / 'mlflow.db'}")
    return int(client.get_model_version_by_alias("income", "champion").version)


def has_ledger(terminal) -> bool:
    return terminal.status()["models"][0]["has_ledger"]


def wait_for_champion(terminal, version, worker_log, seconds=servers.PATIENCE_S):
    end = time.monotonic() + seconds
    while champion(terminal) != version:
        assert time.monotonic() < end, worker_log.read_text()[-3000:]
        time.sleep(1)


def scheduled_runs(terminal) -> list[dict]:
    query = {
        "flows": {"name": {"any_": ["process-deletions"]}},
        "flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}},
        "sort": "END_TIME_DESC",
    }
    call = urllib.request.Request(  # noqa: S310 - the test's own server
        f"{terminal.environment['PREFECT_API_URL']}/flow_runs/filter",
        data=json.dumps(query).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(call, timeout=60) as reply:  # noqa: S310
            return [run for run in json.load(reply) if run["auto_scheduled"]]
    except urllib.error.HTTPError as error:
        if error.code != HTTPStatus.SERVICE_UNAVAILABLE:  # its database is busy: ask again
            raise
        return []


def test_a_worker_runs_the_deployment_when_triggered_and_when_scheduled(terminal, tmp_path):
    terminal.environment |= {"PREFECT_WORKER_QUERY_SECONDS": "2"}
    terminal.train()
    prefect(terminal, "work-pool", "create", "expunge", "--type", "process")
    prefect(terminal, "deploy", "--all")
    log = tmp_path / "worker.log"
    worker = [str(servers.BIN / "prefect"), "worker", "start", "--pool", "expunge"]
    with servers.running(worker, log, env=terminal.environment, cwd=PROJECT):
        terminal.submit("first.jsonl", [request(i) for i in range(150)])
        run(terminal, "process-deletions/nightly")
        assert champion(terminal) == 2, log.read_text()[-3000:]
        # The batch dropped the ledger over the erased rows and left the next one to its own flow.
        assert not has_ledger(terminal)
        run(terminal, "refresh-ledgers/hourly")
        assert has_ledger(terminal), log.read_text()[-3000:]

        # With SQLAlchemy 2.1 a schedule never fires, and nothing says so.
        soon = tmp_path / "prefect.yaml"
        original = (PROJECT / "prefect.yaml").read_text()
        soon.write_text(original.replace('"0 2 * * *"', '"* * * * * */20"'))  # the last: seconds
        assert soon.read_text() != original
        terminal.submit("second.jsonl", [request(i) for i in range(150, 320)])
        prefect(terminal, "deploy", "--name", "nightly", "--prefect-file", soon)
        wait_for_champion(terminal, 3, log)
        deadline = time.monotonic() + servers.PATIENCE_S
        while not scheduled_runs(terminal):
            assert time.monotonic() < deadline, log.read_text()[-3000:]
            time.sleep(1)
        prefect(terminal, "deployment", "delete", "--all")
    outcomes = terminal.outcomes()
    assert len(outcomes) == 320
    assert set(outcomes.values()) == {"erased"}

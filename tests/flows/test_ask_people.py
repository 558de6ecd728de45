import contextlib
import json
import os
import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest
import servers
from deltalake import DeltaTable
from durable import durable
from mlflow import MlflowClient
from small_tables import MARK, subject
from terminal import request

from tasks.environment.settings import load_settings
from tasks.registry.services import Services

pytestmark = pytest.mark.integration

MANY, FEW = range(150), range(150, 152)
# Two rows are too few to judge; how they are judged is not what is tested here.
QUICK = 'policy.undecided = "accept"'


@pytest.fixture
def terminal(terminal):
    """A terminal whose model may forget 120 of its 1,500 rows without approval."""
    terminal.max_share = 0.08
    return terminal


def objects(terminal) -> list[tuple[str, str]]:
    services = Services.open(load_settings(), (terminal.home / "store").as_uri())
    return durable(services.store)


def versions(terminal) -> tuple[int, int]:
    client = MlflowClient(f"sqlite:///{terminal.home / 'mlflow.db'}")
    champion = client.get_model_version_by_alias("income", "champion")
    return int(champion.version), len(client.search_model_versions("name = 'income'"))


def check_nothing_happened(terminal) -> None:
    assert versions(terminal) == (1, 1)
    assert DeltaTable(terminal.train_table).version() <= 1  # 1: ids are kept out of its log
    assert len(DeltaTable(terminal.train_table).to_pyarrow_table()) == 1500
    folders = {key.split("/")[0] for key, _ in objects(terminal)}
    assert not folders & {"candidates", "certificates"}


def waiting(terminal) -> dict:
    (found,) = terminal.status()["waiting"]
    return found


@pytest.mark.slow
def test_a_large_batch_waits_until_it_is_approved(terminal):
    terminal.train()
    terminal.submit("many.jsonl", [request(i) for i in MANY])
    printed = " ".join(terminal.expunge("run", COLUMNS="160").split())
    asked = waiting(terminal)
    batch = asked["batch"]
    assert f"Batch {batch} waits for approval" in printed
    assert "150 of 1500 (10.0%)" in printed
    assert "unknown" in printed
    assert f"expunge approve {batch} --by NAME" in printed
    assert asked["due_on"] == "2026-02-02"
    check_nothing_happened(terminal)

    before = objects(terminal)
    terminal.expunge("run")
    assert objects(terminal) == before
    check_wrong_answers(terminal, batch)
    assert objects(terminal) == before

    # A hold takes a request out, so that the plan is another one.
    hold = terminal.home.parent / "hold.jsonl"
    hold.write_text(json.dumps({"subject_id": subject(3)}))
    terminal.expunge("hold", hold)
    assert "run again" in terminal.expunge("approve", batch, "--by", "Ada", status=3)
    terminal.expunge("run")
    assert waiting(terminal)["digest"] != asked["digest"]
    check_nothing_happened(terminal)

    assert "expunge run" in terminal.expunge("approve", batch, "--by", "Ada", "--reason", "checked")
    assert terminal.status()["waiting"] == []
    terminal.expunge("run")
    check_erased_by(terminal, batch, "Ada")
    assert "does not wait" in terminal.expunge("approve", batch, "--by", "Ada", status=3)


def check_wrong_answers(terminal, batch):
    assert "--by" in terminal.expunge("approve", batch, "--by", " ", status=2)
    assert "--reason" in terminal.expunge("reject", batch, "--by", "Ada", "--reason", "", status=2)
    assert "expunge status" in terminal.expunge("approve", "b-none", "--by", "Ada", status=2)
    printed = " ".join(terminal.expunge("status").split())
    assert f"expunge reject {batch} --by NAME --reason TEXT" in printed


def check_erased_by(terminal, batch, name):
    outcomes = terminal.outcomes()
    assert outcomes.pop("CASE-00003") == "on_hold"
    assert set(outcomes.values()) == {"erased"}
    assert versions(terminal) == (2, 2)
    certificate = json.loads((terminal.home / "store/certificates/CASE-00007.json").read_text())
    assert certificate["approved_by"] == name
    trail = [p for p in terminal.home.rglob("events.json") if batch in p.read_text()]
    assert any('"BatchApproved"' in p.read_text() for p in trail)
    assert MARK not in terminal.printed
    for key, _ in objects(terminal):
        if not key.startswith("requests/"):
            assert MARK.encode() not in (terminal.home / "store" / key).read_bytes(), key


@pytest.mark.slow
def test_a_rejected_batch_stays_blocked_while_others_go_on(terminal):
    terminal.train(options=QUICK)
    terminal.submit("many.jsonl", [request(i) for i in MANY])
    terminal.expunge("run")
    batch = waiting(terminal)["batch"]
    terminal.expunge("reject", batch, "--by", "Grace", "--reason", "wrong file")
    found = {(r["status"], r["is_open"], r["reason"]) for r in terminal.status()["requests"]}
    assert found == {("blocked", True, f"Grace rejected batch {batch}: wrong file")}

    terminal.submit("few.jsonl", [request(i) for i in FEW])
    printed = " ".join(terminal.expunge("run").split())
    assert f"Batch {batch} was rejected" in printed
    outcomes = terminal.outcomes()
    assert {outcomes[request(i)["request_id"]] for i in FEW} == {"erased"}
    assert {outcomes[request(i)["request_id"]] for i in MANY} == {"blocked"}
    few = json.loads((terminal.home / "store/certificates/CASE-00150.json").read_text())
    assert "approved_by" not in few

    # The same run planned the batch anew, for the version that the others made.
    assert waiting(terminal)["models"][0]["parent_version"] == 2
    terminal.expunge("approve", batch, "--by", "Ada")
    terminal.expunge("run")
    assert set(terminal.outcomes().values()) == {"erased"}


def api(terminal, path: str, body: dict | None = None):
    call = urllib.request.Request(  # noqa: S310 - the test's own server
        f"{terminal.environment['PREFECT_API_URL']}/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(call, timeout=60) as reply:  # noqa: S310
        return json.load(reply)


def runs(terminal, *states: str) -> list[str]:
    """Ids of the main flow's runs in these states, newest first."""
    query = {
        "flows": {"name": {"any_": ["process-deletions"]}},
        "flow_runs": {"state": {"type": {"any_": states}}},
        "sort": "START_TIME_DESC",
    }
    return [run["id"] for run in api(terminal, "flow_runs/filter", query)]


@contextlib.contextmanager
def paused_run(terminal, log: Path):
    """`expunge run` in a process of its own, and the id of its flow run once that asks."""
    known = set(runs(terminal, "PAUSED"))
    environment = terminal.environment | {"EXPUNGE_APPROVAL_WAIT_SECONDS": str(servers.PATIENCE_S)}
    command = [str(servers.BIN / "expunge"), "run"]
    with servers.running(command, log, env=environment) as process:
        run = servers.wait_for(lambda: set(runs(terminal, "PAUSED")) - known, log, process).pop()
        servers.wait_for(lambda: form(terminal, run), log, process)
        yield process, run


def form(terminal, run: str):
    """What a paused run asks; the pause comes first, and until the form follows there is none."""
    keys = api(terminal, f"flow_runs/{run}")["state"]["state_details"]["run_input_keyset"]
    return api(terminal, f"flow_runs/{run}/input/{keys['schema']}")


def resume(terminal, run: str, **answer: str) -> str:
    return api(terminal, f"flow_runs/{run}/resume", {"run_input": answer})["status"]


@pytest.mark.slow
def test_a_paused_run_may_be_killed_time_out_or_be_answered(terminal, tmp_path):
    terminal.train(options=QUICK)
    terminal.submit("many.jsonl", [request(i) for i in MANY])
    log = tmp_path / "run.log"
    with paused_run(terminal, log) as (process, _):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)
    asked = waiting(terminal)
    check_nothing_happened(terminal)

    # Nobody answers in time: the run ends as one that did not ask.
    before = objects(terminal)
    completed = set(runs(terminal, "COMPLETED"))
    terminal.expunge("run", EXPUNGE_APPROVAL_WAIT_SECONDS="4")
    assert objects(terminal) == before
    assert waiting(terminal) == asked
    assert len(set(runs(terminal, "COMPLETED")) - completed) == 1

    with paused_run(terminal, log) as (process, run):
        assert resume(terminal, run, name=" ", decision="approve") == "REJECT"
        assert resume(terminal, run, name="Ada", decision="perhaps") == "REJECT"
        assert resume(terminal, run, name="Ada", decision="approve") == "ACCEPT"
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(servers.PATIENCE_S)
        assert process.returncode == 0, log.read_text()[-3000:]
    assert run in runs(terminal, "COMPLETED")
    assert set(terminal.outcomes().values()) == {"erased"}
    certificate = json.loads((terminal.home / "store/certificates/CASE-00007.json").read_text())
    assert certificate["approved_by"] == "Ada"

import json
import sqlite3
import zipfile
from pathlib import Path

import pytest
from durable import durable
from mlflow import MlflowClient
from small_tables import MARK, subject
from terminal import request

from tasks.environment.settings import Settings, load_settings
from tasks.store.opening import open_store
from tasks.tables.deletion import leftover_files
from tasks.tables.delta import count_by_subject, open_table

pytestmark = pytest.mark.integration

FORGOTTEN = range(150)


def troubled_requests() -> list[dict]:
    return [
        *(request(i) for i in FORGOTTEN),
        request(0),
        request(500, subject_id="nobody-we-know"),
        request(501),
        request(502, received_at="2999-01-01T00:00:00Z"),
        request(503, subject_id=""),
        request(504, colour="red"),
    ]


@pytest.mark.parametrize("terminal", ["file", "s3"], indirect=True)
def test_from_request_to_promoted_version_and_certificate(terminal):
    terminal.train()
    hold = terminal.home.parent / "hold.jsonl"
    hold.write_text(json.dumps({"subject_id": subject(501)}))
    terminal.expunge("hold", hold)
    terminal.submit("requests.jsonl", troubled_requests())
    broken = terminal.home.parent / "broken.csv.gz"
    broken.write_bytes(b"not gzip")
    terminal.expunge("submit", broken, status=2)

    printed = terminal.expunge("run")

    assert "gate passed" in printed
    check_requests(terminal)
    check_registry(terminal)
    check_tables(terminal)
    check_certificates(terminal)
    check_report(terminal, printed)
    check_second_run(terminal)
    check_trace(terminal)
    check_no_raw_id(terminal)


def store_of(terminal):
    settings = Settings(home=terminal.home, store=terminal.environment.get("EXPUNGE_STORE", ""))
    return open_store(settings.store_uri, load_settings())


def check_requests(terminal):
    found = terminal.status()["requests"]
    outcomes = [(r["request_id"], r["status"]) for r in found]
    assert {(f"CASE-{i:05d}", "erased") for i in FORGOTTEN} <= set(outcomes)
    assert ("CASE-00000", "duplicate") in outcomes
    assert ("CASE-00500", "not_found") in outcomes
    assert ("CASE-00501", "on_hold") in outcomes
    assert ("CASE-00502", "quarantined") in outcomes
    assert ("CASE-00504", "quarantined") in outcomes
    assert len(outcomes) == len(troubled_requests()) + 1
    assert all(r["reason"] for r in found)
    assert [r["request_id"] for r in found if r["is_open"]] == ["CASE-00501"]


def check_registry(terminal):
    client = MlflowClient(f"sqlite:///{terminal.home / 'mlflow.db'}")
    champion = client.get_model_version_by_alias("income", "champion")
    assert int(champion.version) == 2
    tags = champion.tags
    assert tags["expunge.parent_version"] == "1"
    assert tags["expunge.forget_count"] == str(len(FORGOTTEN))
    assert int(tags["expunge.dataset_version"]) > int(tags["expunge.dataset_version_before"])
    assert tags["expunge.ledger"]
    assert champion.run_id
    run = client.get_run(champion.run_id)
    assert run.data.metrics["mia_auc_before"] > 0.6
    assert abs(run.data.metrics["mia_auc_after"] - 0.5) < 0.05
    assert run.inputs.model_inputs
    parent = client.get_model_version("income", "1")
    assert "pt2" in str(list(Path(terminal.home / "artifacts").rglob("*.pt2")))
    assert parent.aliases == []


def check_tables(terminal):
    for place in (terminal.train_table, terminal.holdout_table):
        uri = place if "://" in place else Path(place).as_uri()
        table = open_table(load_settings(), uri)
        assert count_by_subject(table, "subject_id", map(subject, FORGOTTEN)) == {}
    uri = terminal.train_table
    uri = uri if "://" in uri else Path(uri).as_uri()
    assert open_table(load_settings(), uri).count() == 1500 - len(FORGOTTEN)
    assert leftover_files(load_settings(), uri) == 0
    assert open_store(uri, load_settings()).count_noncurrent("") == 0


def check_certificates(terminal):
    store = store_of(terminal)
    found = {i.key.split("/")[1]: i.key for i in store.list_objects("certificates/")}
    assert set(found) == {f"CASE-{i:05d}.json" for i in (*FORGOTTEN, 500)}
    one = json.loads(store.get(found["CASE-00007.json"]))
    assert one["outcome"] == "erased"
    assert one["request"]["due_on"] == "2026-02-02"
    assert one["tables"][0]["rows_of_this_request"] == 1
    assert one["tables"][0]["rows_after"] == 1500 - len(FORGOTTEN)
    assert one["tables"][0]["files_left_over"] == 0
    assert one["tables"][0]["hits"] == 0
    # The subject that no table knows is looked for as well.
    assert one["tables"][0]["ids_searched"] == len(FORGOTTEN) + 1
    assert one["models"][0]["version"] == 2
    assert all(check["passed"] for check in one["models"][0]["checks"])
    assert json.loads(store.get(found["CASE-00500.json"]))["outcome"] == "not_found"


def check_report(terminal, printed):
    store = store_of(terminal)
    (key,) = [i.key for i in store.list_objects("reports/") if i.key.endswith("/erasure.html")]
    assert f"Report: {store.uri}/{key}" in printed
    page = store.get(key).decode()
    assert f"Erased: the rows of {len(FORGOTTEN)} deletion requests" in page
    assert "Missing:" not in page
    assert len(page) < 300_000
    (mirrored,) = (terminal.home / "artifacts").rglob("erasure.html")
    assert mirrored.read_text() == page
    assert (mirrored.parent / "income/losses.png").read_bytes().startswith(b"\x89PNG")


def check_second_run(terminal):
    store = store_of(terminal)
    before = durable(store)
    assert "Nothing new" in terminal.expunge("run")
    assert durable(store) == before


def check_trace(terminal):
    trail = json.loads(terminal.expunge("trace", "--subject", "-", given=subject(7)))
    assert [e["name"] for e in trail[0]["events"]] == ["RequestAccepted", "RequestErased"]
    history = json.loads(terminal.expunge("trace", "--model", "income", "--version", "2"))
    assert history[0]["parent_version"] == 1
    assert "CASE-00007" in history[0]["requests"]


def check_no_raw_id(terminal):
    """Raw subject ids stand in requests/ and in the tables, and nowhere else."""
    mark = MARK.encode()
    # The command line of `trace` is the person's own; what it prints must be clean.
    assert MARK not in terminal.printed
    store = store_of(terminal)
    for info in store.list_objects(""):
        if not info.key.startswith("requests/"):
            assert mark not in store.get(info.key), info.key
    for path in terminal.home.rglob("*"):
        if path.is_file() and not path.is_relative_to(terminal.home / "store/requests"):
            assert mark not in path.read_bytes(), path
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as archive:
                    assert not [n for n in archive.namelist() if mark in archive.read(n)]


def test_prefect_keeps_no_raw_id(tmp_path_factory, prefect_api):
    """Runs after the tests above, on the server that they shared."""
    folder = next(p.parent for p in tmp_path_factory.getbasetemp().glob("prefect*/prefect.db"))
    for path in folder.rglob("*"):
        if path.is_file():
            assert MARK.encode() not in path.read_bytes(), path
    with sqlite3.connect(folder / "prefect.db") as database:
        (runs,) = database.execute("select count(*) from flow_run").fetchone()
    assert runs > 0

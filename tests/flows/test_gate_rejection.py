import pytest
from mlflow import MlflowClient
from terminal import request

from tasks.object_store import open_store

pytestmark = pytest.mark.integration


def champion(terminal):
    client = MlflowClient(f"sqlite:///{terminal.home / 'mlflow.db'}")
    versions = client.search_model_versions("name = 'income'")
    alias = client.get_model_version_by_alias("income", "champion")
    return int(alias.version), len(versions)


def test_a_rejected_candidate_changes_nothing_and_keeps_the_request_open(terminal):
    terminal.train("--unlearning.method", "reference_step", "--policy.max-mia-auc", "0.51")
    terminal.submit("requests.jsonl", [request(i) for i in range(150)])

    printed = terminal.expunge("run", status=1)

    assert "income failed the gate: " in printed
    assert "mia_auc_upper" in printed
    assert champion(terminal) == (1, 1)
    (reason,) = {(r["status"], r["is_open"], r["reason"]) for r in terminal.status()["requests"]}
    assert reason[:2] == ("blocked", True)
    assert "mia_auc_upper" in reason[2]

    # Nothing changed, so a second run changes nothing and says the same.
    store = open_store((terminal.home / "store").as_uri())
    before = [(i.key, i.version) for i in store.list_objects("")]
    assert "mia_auc_upper" in terminal.expunge("run", status=1)
    assert [(i.key, i.version) for i in store.list_objects("")] == before

    # A better update, or a policy that somebody answers for, unblocks the same requests.
    terminal.expunge("enroll", "income", *terminal.source())
    terminal.expunge("run")
    assert champion(terminal) == (2, 2)
    assert set(terminal.outcomes().values()) == {"erased"}


def test_too_few_rows_to_judge_wait_for_more(terminal):
    terminal.train()
    terminal.submit("few.jsonl", [request(i) for i in range(5)])
    assert "mia_evidence" in terminal.expunge("run", status=1)
    terminal.submit("more.jsonl", [request(i) for i in range(5, 160)])
    terminal.expunge("run")
    assert set(terminal.outcomes().values()) == {"erased"}
    assert {b["status"] for b in terminal.status()["batches"]} == {"closed"}
    assert "Nothing new" in terminal.expunge("run")


def test_a_released_hold_lets_the_request_go_on(terminal):
    terminal.train()
    hold = terminal.home.parent / "hold.csv"
    hold.write_text(f"request_id,subject_id\nH-1,{request(3)['subject_id']}\n")
    terminal.expunge("hold", hold)
    terminal.submit("requests.jsonl", [request(i) for i in range(150)])
    terminal.expunge("run")
    assert terminal.outcomes()["CASE-00003"] == "on_hold"
    assert "Nothing new" in terminal.expunge("run")
    terminal.expunge("hold", "--release", hold)
    terminal.submit("more.jsonl", [request(i) for i in range(150, 300)])
    terminal.expunge("run")
    assert set(terminal.outcomes().values()) == {"erased"}

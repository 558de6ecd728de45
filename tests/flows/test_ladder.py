import json
from datetime import UTC, datetime, timedelta

import pytest
from durable import durable
from mlflow import MlflowClient
from terminal import SMALL, request

from tasks.environment.settings import load_settings
from tasks.journal.events.attempts import AttemptPlanned, RungChosen
from tasks.journal.events.catalog import batch_stream
from tasks.registry.services import Services

pytestmark = pytest.mark.integration


def champion(terminal):
    client = MlflowClient(f"sqlite:///{terminal.home / 'mlflow.db'}")
    versions = client.search_model_versions("name = 'income'")
    alias = client.get_model_version_by_alias("income", "champion")
    return int(alias.version), len(versions)


def soon(number):
    """A request that is due in weeks, so that people are called before a model is withdrawn."""
    received = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    return request(number, received_at=received)


HOPELESS = """
policy.max_exact_accuracy_loss = 0
policy.max_holdout_accuracy_loss = 0
unlearning.method = "retrain"
unlearning.retraining.epochs = 1
unlearning.retraining.learning_rate = 1e-9
"""
"""A retrain that learns nothing, and may not be worse than the original: no rung is enough."""
WITHDRAW = ("--last-resort", "withdraw")


@pytest.mark.slow
def test_a_rejected_candidate_changes_nothing_and_keeps_the_request_open(terminal):
    terminal.train()
    terminal.expunge("enroll", "income", *terminal.source(HOPELESS))
    terminal.submit("requests.jsonl", [soon(i) for i in range(150)])

    printed = terminal.expunge("run", status=1)

    assert "income blocked: No rung was enough" in printed
    assert "worse than the original" in " ".join(printed.split())
    assert champion(terminal) == (1, 1)
    (reason,) = {(r["status"], r["is_open"], r["reason"]) for r in terminal.status()["requests"]}
    assert reason[:2] == ("blocked", True)
    assert "worse than the original" in reason[2]

    # Nothing changed, so a second run changes nothing and says the same.
    services = Services.open(load_settings(), (terminal.home / "store").as_uri())
    before = durable(services.store)
    again = terminal.expunge("run", status=1)
    assert "worse than the original" in " ".join(again.split())
    after = durable(services.store)
    assert after == before

    # A better update, or a policy that somebody answers for, unblocks the same requests.
    terminal.expunge("enroll", "income", *terminal.source())
    terminal.expunge("run")
    assert champion(terminal) == (2, 2)
    assert set(terminal.outcomes().values()) == {"erased"}


def rungs(terminal):
    """Every rung that was planned, in order, and what was chosen after it."""
    services = Services.open(load_settings(), (terminal.home / "store").as_uri())
    (batch,) = {b["batch"] for b in terminal.status()["batches"]}
    events = services.journal.read(batch_stream(batch))
    planned = {AttemptPlanned: lambda facts: facts.attempt.rung, RungChosen: lambda f: f.rung}
    return [planned[type(e.facts)](e.facts) for e in events if type(e.facts) in planned]


@pytest.mark.slow
def test_an_update_that_leaves_traces_is_followed_by_stronger_rungs(terminal):
    terminal.train("--method", "theory_step")
    terminal.submit("requests.jsonl", [request(i) for i in range(150)])
    printed = terminal.expunge("run")
    assert rungs(terminal)[:3] == ["update", "stronger", "stronger"]
    assert "next rung is stronger" in printed
    assert champion(terminal) == (2, 2)
    assert set(terminal.outcomes().values()) == {"erased"}


def test_too_few_rows_to_judge_are_retrained(terminal):
    terminal.train()
    terminal.submit("few.jsonl", [request(i) for i in range(2)])
    printed = terminal.expunge("run")
    assert rungs(terminal) == ["update", "retrain", "retrain"]
    assert "the attack cannot decide" in printed.lower()
    assert set(terminal.outcomes().values()) == {"erased"}
    tags = MlflowClient(f"sqlite:///{terminal.home / 'mlflow.db'}")
    assert tags.get_model_version("income", "2").tags["expunge.method"] == "retrain"


@pytest.mark.slow
def test_a_policy_may_accept_what_cannot_be_decided_and_says_so(terminal):
    terminal.train(options='policy.undecided = "accept"')
    terminal.submit("few.jsonl", [request(i) for i in range(2)])
    terminal.expunge("run")
    assert rungs(terminal) == ["update"]
    certificate = json.loads((terminal.home / "store/certificates/CASE-00001.json").read_text())
    (model,) = certificate["models"]
    assert model["outcome"] == "cannot decide"


@pytest.mark.slow
def test_an_overdue_request_ends_in_erasure_where_the_owner_chose_withdrawal(terminal):
    terminal.train()
    terminal.expunge("enroll", "income", *terminal.source(HOPELESS), *WITHDRAW)
    terminal.submit("requests.jsonl", [request(i) for i in range(150)])

    printed = terminal.expunge("run", status=1)

    assert "ALARM" in printed
    assert "income withdrawn: No rung was enough" in printed
    assert set(terminal.outcomes().values()) == {"erased"}
    client = MlflowClient(f"sqlite:///{terminal.home / 'mlflow.db'}")
    assert client.get_registered_model("income").aliases == {}
    certificate = json.loads((terminal.home / "store/certificates/CASE-00001.json").read_text())
    assert [m["outcome"] for m in certificate["models"]] == ["withdrawn"]
    assert terminal.status()["models"][0]["is_withdrawn"]
    assert "Nothing new" in terminal.expunge("run")


@pytest.mark.slow
def test_an_overdue_request_leaves_the_model_in_service_and_calls_people_by_default(terminal):
    terminal.train()
    terminal.expunge("enroll", "income", *terminal.source(HOPELESS))
    terminal.submit("requests.jsonl", [request(i) for i in range(150)])

    printed = terminal.expunge("run", status=1)

    assert "ALARM: OVERDUE by" in printed
    assert "income blocked: No rung was enough" in printed
    assert set(terminal.outcomes().values()) == {"blocked"}
    assert champion(terminal) == (1, 1)
    said = " ".join(terminal.status()["alarms"])
    assert "income version 1 still remembers 150 rows of people who had to be erased by" in said
    assert "What would help" in said
    assert "ALARM" not in terminal.expunge("run", status=1)  # nobody is told twice a day


@pytest.mark.slow
def test_a_withdrawn_model_comes_back_with_a_version_trained_without_the_rows(terminal):
    terminal.train()
    terminal.expunge("enroll", "income", *terminal.source(HOPELESS), *WITHDRAW)
    terminal.submit("requests.jsonl", [request(i) for i in range(150)])
    terminal.expunge("run", status=1)
    terminal.train()
    assert not terminal.status()["models"][0]["is_withdrawn"]
    terminal.submit("more.jsonl", [request(i) for i in range(150, 300)])
    terminal.expunge("run")
    assert set(terminal.outcomes().values()) == {"erased"}


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_model_is_asked_once_for_rows_that_another_model_kept_from_being_erased(terminal):
    terminal.train()
    terminal.expunge("train", "salary", *terminal.source(), *SMALL)
    terminal.expunge("enroll", "salary", *terminal.source(HOPELESS))
    terminal.submit("requests.jsonl", [soon(i) for i in range(150)])
    terminal.expunge("run", status=1)
    assert champion(terminal)[0] == 2
    assert set(terminal.outcomes().values()) == {"blocked"}

    terminal.expunge("enroll", "salary", *terminal.source("budget.max_share = 0.5"))
    terminal.submit("more.jsonl", [soon(i) for i in range(150, 300)])
    terminal.expunge("run")

    assert set(terminal.outcomes().values()) == {"erased"}
    folder = terminal.home / "store/certificates"
    old, new = (
        {m["model"]: m for m in json.loads((folder / f"CASE-{n:05d}.json").read_text())["models"]}
        for n in (1, 151)
    )
    assert set(old) == set(new) == {"income", "salary"}
    assert (old["income"]["version"], old["income"]["forget_count"]) == (2, 150)
    assert (new["income"]["version"], new["income"]["forget_count"]) == (3, 150)
    assert "in_batch" in old["income"]
    assert old["salary"] == new["salary"]
    assert new["salary"]["forget_count"] == 300

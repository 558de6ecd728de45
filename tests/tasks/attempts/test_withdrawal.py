"""A model out of service: whatever is interrupted, it is withdrawn once and for good."""

from dataclasses import replace

import pytest

from tasks.attempts import ladder
from tasks.datasets.spec import DatasetSpec
from tasks.models.enrollment import Enrollment, read_enrollment, record_enrollment, stream
from tasks.registry import mlflow_registry
from tasks.store import journal, lease
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.errors import ConflictError
from unlearning.policy.budget import Deletions


@pytest.fixture
def enrollment(store):
    found = Enrollment(
        model="income",
        version=1,
        digest="d",
        dataset=DatasetSpec("file:///train", ("features",), "label", "subject_id"),
        dataset_version=0,
        row_count=9,
        holdout="file:///holdout",
        unlearning=UnlearningConfig(),
        policy=GatePolicy(),
        deletions=Deletions(trained_rows=9),
    )
    record_enrollment(store, found)
    return found


@pytest.fixture
def champions(monkeypatch):
    found = {}
    monkeypatch.setattr(mlflow_registry, "alias_version", found.get)
    monkeypatch.setattr(mlflow_registry, "is_registered", lambda _: True)
    return found


def intend(store):
    facts = {"effect": "ModelWithdrawn", "model": "income", "attempt": "a-1"}
    journal.append(store, journal.Entry("batches/b-1", "frozen", "BatchFrozen", {}))
    plan = {"key": "a-1", "model": "income", "parent_version": 1, "parent_digest": "d"}
    happen(store, "a-1/planned", "UnlearningPlanned", plan)
    chosen = {"model": "income", "rung": "withdraw", "reason": "No rung was enough."}
    happen(store, "a-1/next/withdraw", "RungChosen", chosen)
    happen(store, "a-1/withdrawn/intent", "EffectIntended", facts)


def happen(store, event_id, event, facts):
    journal.append(store, journal.Entry("batches/b-1", event_id, event, facts))


def test_a_withdrawal_cut_off_after_the_alias_was_gone_is_finished(store, enrollment, champions):
    intend(store)
    champions["income"] = 1
    ladder.settle_withdrawals(store)
    assert not read_enrollment(store, "income").is_withdrawn  # not begun: the alias is still there
    del champions["income"]
    ladder.settle_withdrawals(store)
    ladder.settle_withdrawals(store)
    assert read_enrollment(store, "income").is_withdrawn
    events = journal.read(store, stream("income"))
    assert sum(e.name == "ModelWithdrawn" for e in events) == 1
    (told,) = (e for e in journal.read(store, "batches/b-1") if e.name == "ModelWithdrawn")
    assert told.id == "a-1/withdrawn"
    facts = {"model": "income", "attempt": "a-1", "version": 1, "reason": "No rung was enough."}
    assert told.facts == facts  # what certificates of the batch state


@pytest.mark.parametrize(
    "since",
    ["closed", "held", "planned anew", "gone from MLflow", "another version", "other weights"],
)
def test_an_alias_that_is_missing_for_another_reason_withdraws_nothing(
    store, enrollment, champions, monkeypatch, since
):
    intend(store)
    if since == "closed":
        happen(store, "validated", "BatchValidated", {})
        happen(store, "closed", "BatchClosed", {})
    elif since == "held":
        happen(store, "withheld/1", "RequestsWithheld", {"records": []})
    elif since == "planned anew":
        plan = {"key": "a-2", "model": "income", "parent_version": 1, "parent_digest": "d"}
        happen(store, "a-2/planned", "UnlearningPlanned", plan)
    elif since == "gone from MLflow":
        monkeypatch.setattr(mlflow_registry, "is_registered", lambda _: False)
    else:
        changed = {"version": 3} if since == "another version" else {"digest": "trained anew"}
        record_enrollment(store, replace(enrollment, **changed))
    ladder.settle_withdrawals(store)
    assert not read_enrollment(store, "income").is_withdrawn


def test_a_withdrawal_is_finished_by_no_run_that_lost_its_lease(
    store, enrollment, champions, monkeypatch
):
    def refuse(_):
        raise ConflictError("Another run is at work.")

    intend(store)
    monkeypatch.setattr(lease, "check", refuse)
    with pytest.raises(ConflictError):
        ladder.settle_withdrawals(store)
    assert not read_enrollment(store, "income").is_withdrawn


def test_withdrawn_weights_stay_withdrawn_and_others_do_not(store, enrollment, champions):
    intend(store)
    ladder.settle_withdrawals(store)
    record_enrollment(store, replace(enrollment, version=7))
    assert read_enrollment(store, "income").is_withdrawn
    record_enrollment(store, replace(enrollment, version=8, digest="trained anew"))
    assert not read_enrollment(store, "income").is_withdrawn

"""A model out of service: whatever is interrupted, it is withdrawn once and for good."""

from dataclasses import replace

import pytest

from tasks.attempts import ladder
from tasks.journal import journal
from tasks.journal.events.enrollment import Enrollment
from tasks.journal.reading import read_enrollment
from tasks.journal.reading import record_enrollment
from tasks.journal.events.catalog import model_stream
from tasks.registry.mlflow_registry import Registry
from tasks.store import lease
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.errors import ConflictError
from unlearning.policy.budget import Deletions


@pytest.fixture
def enrollment(services):
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
    record_enrollment(services.journal, found)
    return found


@pytest.fixture
def champions(monkeypatch):
    found = {}
    monkeypatch.setattr(Registry, "alias_version", lambda _, model: found.get(model))
    monkeypatch.setattr(Registry, "is_registered", lambda *_: True)
    return found


def intend(services):
    facts = {"effect": "ModelWithdrawn", "model": "income", "attempt": "a-1"}
    services.journal.append(journal.Entry("batches/b-1", "frozen", "BatchFrozen", {}))
    plan = {"key": "a-1", "model": "income", "parent_version": 1, "parent_digest": "d"}
    happen(services, "a-1/planned", "UnlearningPlanned", plan)
    chosen = {"model": "income", "rung": "withdraw", "reason": "No rung was enough."}
    happen(services, "a-1/next/withdraw", "RungChosen", chosen)
    happen(services, "a-1/withdrawn/intent", "EffectIntended", facts)


def happen(services, event_id, event, facts):
    services.journal.append(journal.Entry("batches/b-1", event_id, event, facts))


def test_a_withdrawal_cut_off_after_the_alias_was_gone_is_finished(services, enrollment, champions):
    intend(services)
    champions["income"] = 1
    ladder.settle_withdrawals(services)
    assert not read_enrollment(
        services, "income"
    ).is_withdrawn  # not begun: the alias is still there
    del champions["income"]
    ladder.settle_withdrawals(services)
    ladder.settle_withdrawals(services)
    assert read_enrollment(services.journal, "income").is_withdrawn
    events = services.journal.read(model_stream("income"))
    assert sum(e.name == "ModelWithdrawn" for e in events) == 1
    (told,) = (e for e in services.journal.read("batches/b-1") if e.name == "ModelWithdrawn")
    assert told.id == "a-1/withdrawn"
    facts = {"model": "income", "attempt": "a-1", "version": 1, "reason": "No rung was enough."}
    assert told.facts == facts  # what certificates of the batch state


@pytest.mark.parametrize(
    "since",
    ["closed", "held", "planned anew", "gone from MLflow", "another version", "other weights"],
)
def test_an_alias_that_is_missing_for_another_reason_withdraws_nothing(
    services, enrollment, champions, monkeypatch, since
):
    intend(services)
    if since == "closed":
        happen(services, "validated", "BatchValidated", {})
        happen(services, "closed", "BatchClosed", {})
    elif since == "held":
        happen(services, "withheld/1", "RequestsWithheld", {"records": []})
    elif since == "planned anew":
        plan = {"key": "a-2", "model": "income", "parent_version": 1, "parent_digest": "d"}
        happen(services, "a-2/planned", "UnlearningPlanned", plan)
    elif since == "gone from MLflow":
        monkeypatch.setattr(Registry, "is_registered", lambda *_: False)
    else:
        changed = {"version": 3} if since == "another version" else {"digest": "trained anew"}
        record_enrollment(services.journal, replace(enrollment, **changed))
    ladder.settle_withdrawals(services)
    assert not read_enrollment(services.journal, "income").is_withdrawn


def test_a_withdrawal_is_finished_by_no_run_that_lost_its_lease(
    services, enrollment, champions, monkeypatch
):
    def refuse(_):
        raise ConflictError("Another run is at work.")

    intend(services)
    monkeypatch.setattr(lease, "check", refuse)
    with pytest.raises(ConflictError):
        ladder.settle_withdrawals(services)
    assert not read_enrollment(services.journal, "income").is_withdrawn


def test_withdrawn_weights_stay_withdrawn_and_others_do_not(services, enrollment, champions):
    intend(services)
    ladder.settle_withdrawals(services)
    record_enrollment(services.journal, replace(enrollment, version=7))
    assert read_enrollment(services.journal, "income").is_withdrawn
    record_enrollment(services.journal, replace(enrollment, version=8, digest="trained anew"))
    assert not read_enrollment(services.journal, "income").is_withdrawn

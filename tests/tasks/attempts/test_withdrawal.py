"""A model out of service: whatever is interrupted, it is withdrawn once and for good."""

from dataclasses import replace

import factories
import pytest
from factories import frozen, validated

from tasks.attempts import withdrawal
from tasks.journal.events import ids
from tasks.journal.events.attempts import AttemptPlanned, RungChosen, WithdrawalIntended
from tasks.journal.events.batches import BatchClosed
from tasks.journal.events.catalog import batch_stream, model_stream
from tasks.journal.events.models import ModelWithdrawn
from tasks.journal.events.withheld import RequestsWithheld
from tasks.journal.reading import read_batch, read_enrollment, record_enrollment
from tasks.registry.mlflow_registry import Registry
from tasks.store import lease
from tasks.subjects import late_holds
from unlearning.errors import ConflictError

ATTEMPT = factories.attempt(key="a-1")
REASON = "No rung was enough."


@pytest.fixture
def enrollment(services):
    found = factories.enrollment()
    record_enrollment(services.journal, found)
    return found


@pytest.fixture
def champions(monkeypatch):
    found = {}
    monkeypatch.setattr(Registry, "alias_version", lambda _, model: found.get(model))
    monkeypatch.setattr(Registry, "drop_alias", lambda _, model: found.pop(model))
    monkeypatch.setattr(Registry, "is_registered", lambda *_: True)
    return found


def begin(services):
    services.store.put("batches/b-1/dispositions.json", b"[]")
    happen(services, ids.FROZEN, frozen())
    happen(services, ATTEMPT.ids.planned, AttemptPlanned(attempt=ATTEMPT))
    chosen = RungChosen(model="income", attempt="a-1", rung="withdraw", reason=REASON)
    happen(services, ATTEMPT.ids.chosen("withdraw"), chosen)


def intend(services):
    begin(services)
    intended = WithdrawalIntended(model="income", attempt="a-1")
    happen(services, ids.intent(ATTEMPT.ids.withdrawn), intended)


def happen(services, event_id, facts):
    services.journal.append(batch_stream("b-1"), event_id, facts)


def told(services):
    """What the batch's stream says of it, which certificates state."""
    return read_batch(services.journal, "b-1").attempts["a-1"].withdrawn


def is_withdrawn(services):
    return read_enrollment(services.journal, "income").is_withdrawn


def test_the_alias_is_taken_away_once_and_both_streams_say_so(
    services, enrollment, champions, caplog
):
    begin(services)
    champions["income"] = 1
    for _ in range(2):
        withdrawal.withdraw(services, ATTEMPT, REASON)
    assert champions == {}
    assert is_withdrawn(services)
    assert (told(services).version, told(services).reason) == (1, REASON)
    assert "ALARM: income version 1 no longer holds the serving alias." in caplog.text
    champions["income"] = 1  # set again by hand: these weights still remember
    withdrawal.withdraw(services, ATTEMPT, REASON)
    assert champions == {}


def test_an_alias_that_was_moved_meanwhile_is_left_to_people(services, enrollment, champions):
    begin(services)
    champions["income"] = 4
    with pytest.raises(ConflictError, match="moved to version 4 meanwhile"):
        withdrawal.withdraw(services, ATTEMPT, REASON)
    assert champions == {"income": 4}
    assert not is_withdrawn(services)


def test_a_hold_that_came_meanwhile_keeps_the_alias(services, enrollment, champions, monkeypatch):
    def refuse(*_):
        raise ConflictError("A legal hold was placed.")

    begin(services)
    champions["income"] = 1
    monkeypatch.setattr(late_holds, "refuse_held", refuse)
    with pytest.raises(ConflictError, match="legal hold"):
        withdrawal.withdraw(services, ATTEMPT, REASON)
    assert champions == {"income": 1}


def test_a_withdrawal_cut_off_after_the_alias_was_gone_is_finished(services, enrollment, champions):
    intend(services)
    champions["income"] = 1
    withdrawal.finish_withdrawals(services)
    assert not is_withdrawn(services)  # not begun: the alias is still there
    del champions["income"]
    withdrawal.finish_withdrawals(services)
    withdrawal.finish_withdrawals(services)
    assert is_withdrawn(services)
    events = services.journal.read(model_stream("income"))
    assert sum(isinstance(e.facts, ModelWithdrawn) for e in events) == 1
    assert (told(services).version, told(services).reason) == (1, REASON)


@pytest.mark.parametrize(
    "since",
    ["closed", "held", "planned anew", "gone from MLflow", "another version", "other weights"],
)
def test_an_alias_that_is_missing_for_another_reason_withdraws_nothing(
    services, enrollment, champions, monkeypatch, since
):
    intend(services)
    if since == "closed":
        happen(services, ids.VALIDATED, validated())
        happen(services, ids.CLOSED, BatchClosed())
    elif since == "held":
        happen(services, ids.withheld(5), RequestsWithheld(records=()))
    elif since == "planned anew":
        other = replace(ATTEMPT, key="a-2")
        happen(services, other.ids.planned, AttemptPlanned(attempt=other))
    elif since == "gone from MLflow":
        monkeypatch.setattr(Registry, "is_registered", lambda *_: False)
    else:
        changed = {"version": 3} if since == "another version" else {"digest": "trained anew"}
        record_enrollment(services.journal, replace(enrollment, **changed))
    withdrawal.finish_withdrawals(services)
    assert not is_withdrawn(services)


def test_a_withdrawal_is_finished_by_no_run_that_lost_its_lease(
    services, enrollment, champions, monkeypatch
):
    def refuse(_):
        raise ConflictError("Another run is at work.")

    intend(services)
    monkeypatch.setattr(lease, "check", refuse)
    with pytest.raises(ConflictError):
        withdrawal.finish_withdrawals(services)
    assert not is_withdrawn(services)


def test_withdrawn_weights_stay_withdrawn_and_others_do_not(services, enrollment, champions):
    intend(services)
    withdrawal.finish_withdrawals(services)
    record_enrollment(services.journal, replace(enrollment, version=7))
    assert is_withdrawn(services)
    record_enrollment(services.journal, replace(enrollment, version=8, digest="trained anew"))
    assert not is_withdrawn(services)

"""People are called about models that no rung makes forget, once a day, and `status` shows it."""

from datetime import UTC, datetime

import pytest

from tasks.attempts.last_resort import call_people, still_remembering, told_what_follows
from tasks.certificates.alarms import alarms
from tasks.journal import journal
from tasks.journal.events.attempts import BatchBlocked, PeopleCalled, RungChosen
from tasks.journal.events.batches import BatchSuperseded
from tasks.journal.events.catalog import batch_stream, model_stream
from tasks.journal.events.models import ModelWithdrawn
from unlearning.config.gate_policy import GatePolicy

REASON = "No rung was enough (remembered: mia_auc_upper)."


@pytest.fixture
def blocked(batch):
    """A batch that is due on 2 February 2026, blocked by a model of the default policy."""
    batch.enroll()
    return block(batch)


def block(batch, key="a-1"):
    made = batch.plan(key)
    _, of = batch.of(key)
    batch.happen(made.ids.chosen("wait"), RungChosen(**of, rung="wait", reason=REASON))
    batch.happen(made.ids.blocked, BatchBlocked(**of, failed=(), reason=f"income: {REASON}"))
    return batch


def call(batch, monkeypatch, month, day, key="a-1", hour=12):
    today(monkeypatch, month, day, hour)
    call_people(batch.services, batch.of(key)[0])


def today(monkeypatch, month, day, hour=12):
    moment = datetime(2026, month, day, hour, tzinfo=UTC)
    monkeypatch.setattr(journal, "now", lambda: moment)


def called(batch):
    events = batch.services.journal.read(batch_stream(batch.name))
    return [e.facts for e in events if isinstance(e.facts, PeopleCalled)]


def test_people_are_called_from_half_of_the_time_on_once_a_day(blocked, monkeypatch, caplog):
    call(blocked, monkeypatch, 1, 5)
    assert called(blocked) == []
    for hour in (1, 12, 23):
        call(blocked, monkeypatch, 1, 20, hour=hour)
    call(blocked, monkeypatch, 1, 31)
    call(blocked, monkeypatch, 2, 7)
    said = [one.said for one in called(blocked)]
    assert [one.day.isoformat() for one in called(blocked)] == [
        "2026-01-20", "2026-01-31", "2026-02-07",
    ]  # fmt: skip
    assert [r.message for r in caplog.records if "ALARM" in r.message] == [
        f"ALARM: {one}" for one in said
    ]
    assert "13 days are left" in said[0]
    assert said[1].startswith("URGENT")
    assert said[2].startswith("OVERDUE by 5 days: income version 1 still remembers 300 rows")
    assert all(REASON in one and "stays in service" in one for one in said)


def test_who_was_told_today_of_another_batch_with_the_same_requests_is_not_told_again(
    blocked, monkeypatch
):
    call(blocked, monkeypatch, 1, 20)
    blocked.happen("superseded", BatchSuperseded(by="b-2"))
    other = type(blocked)(blocked.services, name="b-2")
    block(other)
    call(other, monkeypatch, 1, 20, hour=15)
    assert called(other) == []
    call(other, monkeypatch, 1, 21)
    assert len(called(other)) == 1


def test_status_shows_what_is_still_remembered_until_it_is_not(blocked, monkeypatch):
    today(monkeypatch, 1, 5)
    assert list(still_remembering(blocked.services)) == []
    today(monkeypatch, 2, 7)
    (said,) = still_remembering(blocked.services)
    assert said.startswith("OVERDUE by 5 days")
    assert said in alarms(blocked.services)
    blocked.plan("a-2")  # tried anew, with another policy say
    assert list(still_remembering(blocked.services)) == []


def test_a_model_that_is_out_of_service_is_another_alarm(blocked, monkeypatch):
    today(monkeypatch, 2, 7)
    gone = ModelWithdrawn(attempt="a-9", batch="b-9")
    blocked.services.journal.append(model_stream("income"), "w", gone)
    assert list(still_remembering(blocked.services)) == []


def test_what_follows_is_told_by_the_request_that_is_due_first(batch):
    withdraw = GatePolicy(last_resort="withdraw", withdraw_days=2)
    assert "From 2026-01-31 on" in told_what_follows(batch.services, batch.name, withdraw)

"""A batch that stands still is on record until it moves again."""

import pytest
from factories import frozen, validated

from tasks.certificates.alarms import standstills
from tasks.journal.events.batches import BatchClosed
from tasks.journal.events.catalog import batch_stream
from tasks.journal.events.halts import BatchStoodStill, StandstillEnded
from tasks.store import lease
from tasks.store.files import FileStore
from tasks.subjects.standstills import note_progress, note_standstill, reason_of
from unlearning.errors import ConflictError, DataError, TransientError

WHY = "The table is full of copies; move them."


@pytest.fixture
def at_work(services):
    services.journal.append(batch_stream("b"), "frozen", frozen())
    services.journal.append(batch_stream("b"), "validated", validated())
    return services


def told(services):
    return [type(e.facts) for e in services.journal.read(batch_stream("b"))][2:]


def test_a_batch_stands_still_once_for_each_reason_until_a_run_gets_through(at_work):
    assert standstills(at_work) == []
    for reason in (WHY, WHY, "Another."):
        note_standstill(at_work, "b", reason)
    assert told(at_work) == [BatchStoodStill] * 2
    (said,) = standstills(at_work)
    assert said.startswith("Batch b stands still since 20")
    assert said.endswith("Another.")
    for _ in range(2):
        note_progress(at_work, "b")
    assert standstills(at_work) == []
    note_standstill(at_work, "b", WHY)
    assert told(at_work) == [BatchStoodStill, BatchStoodStill, StandstillEnded, BatchStoodStill]
    at_work.journal.append(batch_stream("b"), "closed", BatchClosed())
    assert standstills(at_work) == []


def test_a_run_that_lost_its_lease_or_its_store_records_nothing_and_hides_no_error(
    at_work, monkeypatch
):
    def lost(_):
        raise ConflictError("Another run is at work.")

    with monkeypatch.context() as patch:
        patch.setattr(lease, "check", lost)
        note_standstill(at_work, "b", WHY)

    def away(*_):
        raise TransientError("The store is away.")

    with monkeypatch.context() as patch:
        patch.setattr(FileStore, "put_if_absent", away)
        note_standstill(at_work, "b", WHY)
    assert told(at_work) == []


def test_a_reason_is_our_own_sentence_or_names_a_kind_and_no_value():
    assert reason_of(DataError(WHY)) == WHY
    assert reason_of(KeyError("cust-17")).startswith("An error that nobody foresaw (KeyError)")
    assert "cust-17" not in reason_of(KeyError("cust-17"))

from concurrent.futures import ThreadPoolExecutor

import pytest

from tasks import journal
from tasks.journal import Entry
from unlearning.errors import ConflictError


def _frozen(number=0):
    return Entry("batches/b-1", f"e{number}", "BatchFrozen", {"n": number})


def test_events_come_back_in_order_with_their_status(store):
    journal.append(store, _frozen())
    journal.append(store, Entry("batches/b-1", "note", "RowsResolved", {}))
    journal.append(store, Entry("batches/b-1", "valid", "BatchValidated", {"counts": {}}))
    events = journal.read(store, "batches/b-1")
    assert [(e.number, e.name, e.status) for e in events] == [
        (1, "BatchFrozen", "frozen"),
        (2, "RowsResolved", "frozen"),
        (3, "BatchValidated", "validated"),
    ]


def test_an_event_is_appended_once_whatever_it_says_the_second_time(store):
    first = journal.append(store, Entry("models/m", "same", "LedgerStored", {"n": 1}))
    second = journal.append(store, Entry("models/m", "same", "LedgerStored", {"n": 2}))
    assert first == second
    assert len(journal.read(store, "models/m")) == 1


def test_of_many_writers_at_one_place_one_wins_and_nothing_is_lost(store):
    journal.append(store, _frozen())

    def note(number):
        try:
            return journal.append(store, Entry("batches/b-1", f"n{number}", "Note", {}))
        except ConflictError:
            return None

    with ThreadPoolExecutor(16) as pool:
        written = [e for e in pool.map(note, range(64)) if e]
    events = journal.read(store, "batches/b-1")
    assert [e.number for e in events] == list(range(1, len(written) + 2))
    assert {e.id for e in events[1:]} == {e.id for e in written}


def test_an_illegal_step_is_refused(store):
    journal.append(store, _frozen())
    with pytest.raises(ConflictError, match="BatchClosed cannot follow"):
        journal.append(store, Entry("batches/b-1", "closed", "BatchClosed", {}))


def test_heads_are_the_latest_events(store):
    for name in ("b-2", "b-1"):
        journal.append(store, Entry(f"batches/{name}", "f", "BatchFrozen", {}))
    journal.append(store, Entry("batches/b-1", "v", "BatchValidated", {}))
    heads = {name: event.status for name, event in journal.heads(store, "batches")}
    assert heads == {"b-1": "validated", "b-2": "frozen"}

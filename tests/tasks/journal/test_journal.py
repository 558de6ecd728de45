import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tasks.journal import journal
from tasks.journal.journal import Entry
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


def _overtaken(store, monkeypatch, entry, *, by):
    """Append an entry while somebody else appends another, right after the stream was read."""
    put = store.put_if_absent
    with monkeypatch.context() as patch:

        def put_later(key, data):
            patch.undo()
            journal.append(store, by)
            return put(key, data)

        patch.setattr(store, "put_if_absent", put_later)
        return journal.append(store, entry)


def test_a_note_of_a_flow_without_the_lease_does_not_stop_a_run(store, monkeypatch):
    journal.append(store, Entry("models/m", "e", "ModelEnrolled", {}))
    ledger = Entry("models/m", "ledger", "LedgerStored", {})
    promoted = Entry("models/m", "a-1/promoted", "ChampionPromoted", {})
    assert _overtaken(store, monkeypatch, promoted, by=ledger).number == 3
    assert [e.name for e in journal.read(store, "models/m")][1:] == [ledger.name, promoted.name]


def test_a_status_that_moved_meanwhile_tells_of_another_run(store, monkeypatch):
    record = f"requests/{RECORDS[0]}"
    journal.append(store, Entry(record, "d", "RequestHeld", {}))
    released = Entry(record, "r", "RequestReleased", {})
    with pytest.raises(ConflictError, match="Another run"):
        _overtaken(store, monkeypatch, Entry(record, "h", "RequestHeld", {}), by=released)
    assert [e.name for e in journal.read(store, record)] == ["RequestHeld", "RequestReleased"]


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


def _accepted(record, event_id="d"):
    return Entry(f"requests/{record}", event_id, "RequestAccepted", {"of": record})


def _erased(record):
    return Entry(f"requests/{record}", "e", "RequestErased", {})


RECORDS = [f"0123456789ab-{number:06d}" for number in range(0, 3000, 7)]


def _written_by_the_first_release(store, record, number, status):
    event = {"number": number, "id": f"old-{number}", "name": "Old", "at": "", "facts": {}}
    body = json.dumps(event | {"status": status}).encode()
    store.put(f"journal/requests/{record}/{number:06d}.json", body)


def test_neighbouring_requests_share_objects(store):
    journal.append_all(store, (_accepted(record) for record in RECORDS))
    journal.append_all(store, (_accepted(record) for record in RECORDS))
    assert [i.key for i in store.list_objects("journal/")] == [
        f"journal/sheets/0123456789ab-{thousand:03d}/000001.json" for thousand in range(3)
    ]
    assert [name for name, _ in journal.heads(store, "requests")] == RECORDS
    (event,) = journal.read(store, f"requests/{RECORDS[5]}")
    assert (event.number, event.status, event.facts) == (1, "accepted", {"of": RECORDS[5]})
    assert journal.read(store, "requests/0123456789ab-000001") == []


def test_one_request_can_go_its_own_way(store):
    journal.append_all(store, (_accepted(record) for record in RECORDS[:4]))
    held = Entry(f"requests/{RECORDS[2]}", "h", "RequestHeld", {})
    assert journal.append(store, held) == journal.append(store, held)
    journal.append_all(store, (_erased(r) for r in RECORDS[:4] if r != RECORDS[2]))
    statuses = {name: (e.number, e.status) for name, e in journal.heads(store, "requests")}
    assert list(statuses.values()) == [(2, "erased"), (2, "erased"), (2, "on_hold"), (2, "erased")]
    assert [e.name for e in journal.read(store, f"requests/{RECORDS[2]}")] == [
        "RequestAccepted",
        "RequestHeld",
    ]
    assert [name for name, _ in journal.open_heads(store, "requests")] == [RECORDS[2]]


def test_requests_of_the_first_release_go_on_in_sheets(store):
    _written_by_the_first_release(store, RECORDS[0], 1, "on_hold")
    _written_by_the_first_release(store, RECORDS[0], 2, "accepted")
    _written_by_the_first_release(store, RECORDS[1], 1, "accepted")
    old = Entry(f"requests/{RECORDS[0]}", "old-1", "RequestHeld", {})
    assert journal.append(store, old).number == 1
    journal.append_all(store, (_erased(record) for record in RECORDS[:2]))
    with pytest.raises(ConflictError, match="cannot follow"):
        journal.append(store, _accepted(RECORDS[0], "again"))
    assert [e.number for e in journal.read(store, f"requests/{RECORDS[0]}")] == [1, 2, 3]
    heads = {name: (e.number, e.status) for name, e in journal.heads(store, "requests")}
    assert heads == {RECORDS[0]: (3, "erased"), RECORDS[1]: (2, "erased")}
    assert set(journal.latest(store, "requests", RECORDS[1:3])) == {RECORDS[1]}


def test_what_is_over_is_not_read_again(store, monkeypatch):
    _written_by_the_first_release(store, "fedcba987654-000001", 1, "erased")
    journal.append_all(store, (_accepted(record) for record in RECORDS))
    journal.append_all(store, (_erased(record) for record in RECORDS))
    assert list(journal.open_heads(store, "requests")) == []
    read = []
    get = store.get
    monkeypatch.setattr(store, "get", lambda key: read.append(key) or get(key))
    assert list(journal.open_heads(store, "requests")) == []
    assert read == []
    journal.append(store, Entry("requests/0123456789ab-000001", "x", "RequestHeld", {}))
    ((name, event),) = journal.open_heads(store, "requests")
    assert (name, event.status) == ("0123456789ab-000001", "on_hold")


def test_writers_to_different_requests_of_a_sheet_do_not_disturb_each_other(store):
    with ThreadPoolExecutor(16) as pool:
        written = list(pool.map(lambda r: journal.append(store, _accepted(r)), RECORDS[:40]))
    assert {e.number for e in written} == {1}
    assert [name for name, _ in journal.heads(store, "requests")] == RECORDS[:40]


def test_of_many_writers_to_one_request_one_wins(store):
    journal.append(store, _accepted(RECORDS[0]))

    def note(number):
        try:
            return journal.append(store, Entry(f"requests/{RECORDS[0]}", f"n{number}", "Note", {}))
        except ConflictError:
            return None

    with ThreadPoolExecutor(16) as pool:
        written = [e for e in pool.map(note, range(40)) if e]
    events = journal.read(store, f"requests/{RECORDS[0]}")
    assert [e.number for e in events] == list(range(1, len(written) + 2))
    assert {e.id for e in events[1:]} == {e.id for e in written}


def test_appending_that_was_cut_short_is_finished_by_the_next_run(store, monkeypatch):
    put = store.put_if_absent

    def fails_on_second_sheet(key, data):
        if "-001/" in key:
            raise KeyboardInterrupt
        return put(key, data)

    with monkeypatch.context() as patch:
        patch.setattr(store, "put_if_absent", fails_on_second_sheet)
        with pytest.raises(KeyboardInterrupt):
            journal.append_all(store, (_accepted(record) for record in RECORDS))
    journal.append_all(store, (_accepted(record) for record in RECORDS))
    heads = dict(journal.heads(store, "requests"))
    assert list(heads) == RECORDS
    assert {e.number for e in heads.values()} == {1}

from concurrent.futures import ThreadPoolExecutor

import pytest
from factories import attempt as make_attempt
from factories import disposition, enrollment, frozen, promotion, validated

from tasks.journal.events.batches import BatchClosed, BatchFrozen, RowsResolved
from tasks.journal.events.catalog import batch_stream, model_stream, request_stream
from tasks.journal.events.models import ChampionPromoted, LedgerStored, ModelEnrolled
from tasks.journal.events.requests import (
    RequestAccepted,
    RequestErased,
    RequestHeld,
    RequestReleased,
)
from tasks.journal.journal import Entry, Journal
from tasks.store import format as store_format
from tasks.store.read_once import ReadOnce
from unlearning.errors import ConflictError, SettingsError

BATCH, MODEL = batch_stream("b-1"), model_stream("m")
RECORDS = [f"0123456789ab-{number:06d}" for number in range(0, 3000, 7)]
RESOLVED = RowsResolved(tables=2, rows=3, located=1, not_found=0)
ENROLLED = ModelEnrolled(enrollment=enrollment(model="m"), config_digest="c")


def ledger(rows=1):
    return LedgerStored(ledger="l", row_count=rows, version=1)


def told(kind, record):
    return kind(disposition=disposition(record), batch="b-1")


def accepted(record, event_id="d"):
    return Entry(request_stream(record), event_id, told(RequestAccepted, record))


def erased(record):
    facts = RequestErased(
        batch="b-1",
        request_id="R",
        subject="p",
        reason="1 row erased",
        certificate="certificates/R.json",
        certificate_digest="c",
    )
    return Entry(request_stream(record), "e", facts)


@pytest.fixture
def journal(services) -> Journal:
    return services.journal


def fresh(journal) -> Journal:
    """The journal of another process."""
    return Journal(journal.store, ReadOnce(journal.store))


def count_reads(store, monkeypatch):
    """Keys of objects that are read from now on, but for the one that names the store's form."""
    read, get = [], store.get

    def counted(key):
        if key != store_format.KEY:
            read.append(key)
        return get(key)

    monkeypatch.setattr(store, "get", counted)
    return read


def test_events_come_back_in_order_with_their_status(journal):
    journal.append(BATCH, "e", frozen())
    journal.append(BATCH, "note", RESOLVED)
    journal.append(BATCH, "valid", validated())
    for reader in (journal, fresh(journal)):
        events = reader.read(BATCH)
        assert [(e.number, e.facts, e.status) for e in events] == [
            (1, frozen(), "frozen"),
            (2, RESOLVED, "frozen"),
            (3, validated(), "validated"),
        ]


def test_an_event_is_appended_once_whatever_it_says_the_second_time(journal):
    first = journal.append(MODEL, "same", ledger(1))
    assert journal.append(MODEL, "same", ledger(2)) == first
    assert fresh(journal).append(MODEL, "same", ledger(3)) == first
    assert journal.read(MODEL) == [first]


def test_a_fresh_event_is_what_others_read(journal):
    made = journal.append(MODEL, "p", promotion(make_attempt()))
    assert fresh(journal).find(MODEL, "p") == made


def test_of_many_writers_at_one_place_one_wins_and_nothing_is_lost(journal):
    journal.append(BATCH, "e", frozen())

    def note(number):
        try:
            return fresh(journal).append(BATCH, f"n{number}", RESOLVED)
        except ConflictError:
            return None

    with ThreadPoolExecutor(16) as pool:
        written = [e for e in pool.map(note, range(64)) if e]
    events = journal.read(BATCH)
    assert [e.number for e in events] == list(range(1, len(written) + 2))
    assert {e.id for e in events[1:]} == {e.id for e in written}


def overtaken(journal, monkeypatch, entry, *, by):
    """Append an entry while somebody else appends another, right after the stream was read."""
    put = journal.store.put_if_absent
    with monkeypatch.context() as patch:

        def put_later(key, data):
            patch.undo()
            fresh(journal).append(by.stream, by.id, by.facts)
            return put(key, data)

        patch.setattr(journal.store, "put_if_absent", put_later)
        return journal.append(entry.stream, entry.id, entry.facts)


def test_a_note_of_a_flow_without_the_lease_does_not_stop_a_run(journal, monkeypatch):
    journal.append(MODEL, "e", ENROLLED)
    promoted = Entry(MODEL, "a-1/promoted", promotion(make_attempt()))
    note = Entry(MODEL, "ledger", ledger())
    assert overtaken(journal, monkeypatch, promoted, by=note).number == 3
    assert [type(e.facts) for e in journal.read(MODEL)][1:] == [LedgerStored, ChampionPromoted]


def test_a_status_that_moved_meanwhile_tells_of_another_run(journal, monkeypatch):
    stream = request_stream(RECORDS[0])
    journal.append(stream, "d", told(RequestHeld, RECORDS[0]))
    released = Entry(stream, "r", told(RequestReleased, RECORDS[0]))
    again = Entry(stream, "h", told(RequestHeld, RECORDS[0]))
    with pytest.raises(ConflictError, match="Another run"):
        overtaken(journal, monkeypatch, again, by=released)
    assert [type(e.facts) for e in journal.read(stream)] == [RequestHeld, RequestReleased]


def test_an_event_that_the_status_does_not_allow_is_refused(journal):
    journal.append(BATCH, "e", frozen())
    with pytest.raises(ConflictError, match="BatchClosed cannot follow"):
        journal.append(BATCH, "closed", BatchClosed())


def test_heads_are_the_latest_events(journal):
    for name in ("b-2", "b-1"):
        journal.append(batch_stream(name), "f", frozen())
    journal.append(BATCH, "v", validated())
    heads = {name: event.status for name, event in journal.batches()}
    assert heads == {"b-1": "validated", "b-2": "frozen"}
    assert [name for name, _ in journal.open_batches()] == ["b-1", "b-2"]


def test_neighbouring_requests_share_objects(journal):
    for _ in range(2):
        journal.append_all(accepted(record) for record in RECORDS)
    assert [i.key for i in journal.store.list_objects("journal/")] == [
        f"journal/sheets/0123456789ab-{thousand:03d}/000001.json" for thousand in range(3)
    ]
    assert [name for name, _ in journal.requests()] == RECORDS
    (event,) = journal.read(request_stream(RECORDS[5]))
    assert (event.number, event.status) == (1, "accepted")
    assert event.facts == told(RequestAccepted, RECORDS[5])
    assert journal.read(request_stream("0123456789ab-000001")) == []


def test_one_request_can_go_its_own_way(journal):
    journal.append_all(accepted(record) for record in RECORDS[:4])
    stream = request_stream(RECORDS[2])
    held = told(RequestHeld, RECORDS[2])
    assert journal.append(stream, "h", held) == journal.append(stream, "h", held)
    journal.append_all(erased(r) for r in RECORDS[:4] if r != RECORDS[2])
    statuses = [(e.number, e.status) for _, e in journal.requests()]
    assert statuses == [(2, "erased"), (2, "erased"), (2, "on_hold"), (2, "erased")]
    assert [type(e.facts) for e in journal.read(stream)] == [RequestAccepted, RequestHeld]
    assert [name for name, _ in journal.open_requests()] == [RECORDS[2]]
    assert set(journal.latest(RECORDS[1:3])) == set(RECORDS[1:3])
    assert journal.latest(["0123456789ab-000001"]) == {}


def test_what_is_over_is_not_read_again(journal, monkeypatch):
    journal.append_all(accepted(record) for record in RECORDS)
    journal.append_all(erased(record) for record in RECORDS)
    assert list(journal.open_requests()) == []
    read = count_reads(journal.store, monkeypatch)
    assert list(fresh(journal).open_requests()) == []
    assert read == []
    late = "0123456789ab-000001"
    journal.append(request_stream(late), "x", told(RequestHeld, late))
    ((name, event),) = journal.open_requests()
    assert (name, event.status) == (late, "on_hold")


def test_each_object_is_read_once_and_what_was_written_not_at_all(journal, monkeypatch):
    journal.append(BATCH, "e", frozen())
    journal.append(BATCH, "note", RESOLVED)
    read = count_reads(journal.store, monkeypatch)
    journal.append(BATCH, "valid", validated())
    journal.read(BATCH)
    assert read == []
    other = fresh(journal)
    for _ in range(3):
        other.read(BATCH)
        dict(other.batches())
    assert sorted(read) == [f"journal/batches/b-1/{number:06d}.json" for number in (1, 2, 3)]


def test_a_long_life_of_a_model_is_read_in_a_few_calls(journal, monkeypatch):
    journal.append(MODEL, "e", ENROLLED)
    for number in range(100):
        journal.append(MODEL, f"l{number}", ledger(number))
    fresh(journal).read(MODEL)  # whoever comes first packs what lies loose
    read = count_reads(journal.store, monkeypatch)
    events = fresh(journal).read(MODEL)
    assert [e.number for e in events] == list(range(1, 102))
    assert len(read) == 1


def test_writers_to_different_requests_of_a_sheet_do_not_disturb_each_other(journal):
    def append(record):
        entry = accepted(record)
        return fresh(journal).append(entry.stream, entry.id, entry.facts)

    with ThreadPoolExecutor(16) as pool:
        written = list(pool.map(append, RECORDS[:40]))
    assert {e.number for e in written} == {1}
    assert [name for name, _ in journal.requests()] == RECORDS[:40]


def test_appending_that_was_cut_short_is_finished_by_the_next_run(journal, monkeypatch):
    put = journal.store.put_if_absent

    def fails_on_second_sheet(key, data):
        if "-001/" in key:
            raise KeyboardInterrupt
        return put(key, data)

    with monkeypatch.context() as patch:
        patch.setattr(journal.store, "put_if_absent", fails_on_second_sheet)
        with pytest.raises(KeyboardInterrupt):
            journal.append_all(accepted(record) for record in RECORDS)
    journal.append_all(accepted(record) for record in RECORDS)
    heads = dict(journal.requests())
    assert list(heads) == RECORDS
    assert {e.number for e in heads.values()} == {1}


def test_models_are_listed_by_stream(journal):
    for name in ("b/ü", "a"):
        journal.append(model_stream(name), "e", ENROLLED)
    assert journal.models() == ["a", "b%2F%C3%BC"]


def test_a_frozen_batch_says_what_it_holds(journal):
    assert journal.append(BATCH, "e", BatchFrozen(file_count=3, released_count=2)).facts == (
        BatchFrozen(file_count=3, released_count=2)
    )


def test_a_store_of_another_form_is_neither_read_nor_written(journal):
    journal.store.put(store_format.KEY, b'{"format": 2}')
    other = fresh(journal)
    with pytest.raises(SettingsError, match="has format 2"):
        other.read(BATCH)
    with pytest.raises(SettingsError, match="has format 2"):
        other.append(BATCH, "e", frozen())
    assert [i.key for i in journal.store.list_objects("")] == [store_format.KEY]


def test_the_first_event_says_which_form_the_store_has(journal):
    journal.append(BATCH, "e", frozen())
    assert journal.store.get(store_format.KEY) == b'{"format": 1}'

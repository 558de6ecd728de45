"""What is left below requests/ of people who were answered: nothing that names them."""

import json
import os

from erased_world import GONE, world
from hostile_names import put
from sent_requests import answer, close, hold, release, submit, validated
from small_tables import subject

from tasks.environment.settings import load_settings
from tasks.intake import batches, inbox, kept_rows, reduction
from tasks.intake.inbox import INCOMING
from tasks.journal.events import ids
from tasks.journal.events.catalog import batch_stream
from tasks.journal.events.reduction import QuarantineEmptied, RequestsReduced
from tasks.registry.services import Services
from tasks.store.files import FileStore
from tasks.subjects import open_batches
from unlearning.policy.subject_kinds import PERSON

__all__ = ["world"]


def named(services, *marks, prefix="requests/"):
    """Keys below a prefix that name one of these, in their name or in their bytes."""
    found = services.store.list_objects(prefix)
    return [
        i.key
        for i in found
        if any(m in i.key or m.encode() in services.store.get(i.key) for m in marks)
    ]


def event(services, batch, event_id):
    return services.journal.find(batch_stream(batch), event_id)


def later(monkeypatch, days):
    monkeypatch.setenv("EXPUNGE_QUARANTINE_DAYS", str(days))
    return Services.open(load_settings())


def test_once_everybody_is_answered_the_store_names_nobody(world):
    assert named(world.services, *map(subject, GONE), prefix="") == []
    assert not reduction.has_work(world.services)
    ((batch, _),) = world.services.journal.batches()
    assert event(world.services, batch, ids.REDUCED).facts == RequestsReduced(files=1)
    assert world.certificate("R-0")["request"]["request_id"] == "R-0"


def test_a_held_row_stays_alone_and_is_erased_when_the_hold_ends(world):
    world.hold(21)
    world.submit("H", [20, 21, 22])
    world.run()
    world.services = Services.open(load_settings())
    assert named(world.services, subject(20), subject(22), "H.jsonl") == []
    (kept,) = named(world.services, subject(21), prefix="requests/open/")
    (row,) = json.loads(world.store.get(kept)).values()
    assert row["request_id"] == "H-21"
    world.release(21)
    world.run()
    assert world.requests()["H-21"].status == "erased"
    assert 21 not in world.there()
    assert named(world.services, subject(21), prefix="") == []


def test_a_closed_batch_is_reduced_however_often_it_is_interrupted(any_services, monkeypatch):
    services = any_services
    submit(services, "person-1", 1, 2)
    batch = validated(services)
    answer(services, batch)
    close(services, batch)
    calls = ("forget_file", "keep_open")
    for times in range(1, 4):
        left = [times]

        def interrupted(*args, real, left=left):
            left[0] -= 1
            if not left[0]:
                raise KeyboardInterrupt
            return real(*args)

        with monkeypatch.context() as patch:
            for name in calls:
                real = getattr(kept_rows, name)
                patch.setattr(
                    kept_rows, name, lambda *args, real=real: interrupted(*args, real=real)
                )
            try:
                reduction.reduce_closed(services)
            except KeyboardInterrupt:
                assert reduction.has_work(services)
    assert not reduction.has_work(services)
    assert named(services, "person-") == []
    assert services.store.count_noncurrent("requests/") == 0


def test_a_newer_file_under_the_same_name_is_not_deleted(services):
    submit(services, "daily", 1)
    batch = validated(services)
    submit(services, "daily", 2, line="\n")
    answer(services, batch)
    close(services, batch)
    reduction.reduce_closed(services)
    assert [info.key for info in inbox.new_files(services)] == ["requests/incoming/daily.jsonl"]
    assert named(services, "person-2") == ["requests/incoming/daily.jsonl"]


def send_again(services, name, *numbers):
    """A file of this name as whoever copies a folder with its times would have it again."""
    submit(services, name, *numbers)
    if isinstance(services.store, FileStore):
        os.utime(services.store.root / f"{INCOMING}{name}.jsonl", (1.7e9, 1.7e9))


def test_a_file_that_is_copied_again_with_its_old_time_is_read_and_goes_again(any_services):
    services = any_services
    for times in range(3):
        send_again(services, "daily", 1)
        batch = validated(services)
        assert len(inbox.new_files(services)) == 0
        assert [d.outcome for d in batches.dispositions(services, batch)] == [
            "duplicate" if times else "accepted"
        ]
        assert open_batches.open_batches(services) == [batch]  # nobody takes it twice
        answer(services, batch)
        close(services, batch)
        assert inbox.new_files(services) == []
        assert reduction.reduce_closed(services) == 1
        assert named(services, "person-1", "daily") == []
    assert services.store.count_noncurrent("requests/") == 0


def test_another_file_of_the_same_name_time_and_size_is_read_and_not_only_deleted(services):
    send_again(services, "daily", 1)
    first = validated(services)
    send_again(services, "daily", 2)
    answer(services, first)
    close(services, first)
    reduction.reduce_closed(services)
    second = validated(services)
    assert batches.subjects(services, second, PERSON) == ["person-2"]
    answer(services, second)
    close(services, second)
    reduction.reduce_closed(services)
    assert named(services, "person-", "daily") == []


def test_an_unusable_file_that_is_copied_again_after_its_days_is_quarantined_again(
    services, monkeypatch
):
    after = later(monkeypatch, 0)
    for _ in range(2):
        put(services, "odd.exe", b"person-odd")
        os.utime(services.store.root / f"{INCOMING}odd.exe", (1.7e9, 1.7e9))
        batch = validated(after)
        (bad,) = batches.dispositions(after, batch)
        assert (bad.outcome, "unknown type" in bad.reason) == ("quarantined", True)
        assert open_batches.open_batches(after) == [batch]
        close(after, batch)
        for _ in range(2):
            reduction.reduce_closed(after)
        assert named(after, "person-odd", "odd.exe") == []


def test_requests_of_a_batch_that_is_open_keep_their_rows(services):
    submit(services, "daily", 1)
    batch = validated(services)
    assert reduction.reduce_closed(services) == 0
    assert batches.subjects(services, batch, PERSON) == ["person-1"]
    answer(services, batch)  # and the run is killed before it closes the batch
    assert reduction.reduce_closed(services) == 0
    assert batches.subjects(services, batch, PERSON) == ["person-1"]


def test_whoever_is_answered_by_a_batch_that_is_still_open_keeps_the_row(services):
    submit(services, "daily", 1, 2)
    hold(services, 2)
    first = validated(services)
    answer(services, first)
    close(services, first)
    reduction.reduce_closed(services)
    release(services, 2)
    (second,) = open_batches.open_batches(services)
    batches.validate(services, second)
    answer(services, second)
    reduction.reduce_closed(services)
    assert batches.subjects(services, second, PERSON) == ["person-2"]
    close(services, second)
    assert reduction.reduce_closed(services) == 1
    assert named(services, "person-2") == []


def test_unusable_rows_and_files_stay_for_their_days_and_then_go(services, monkeypatch):
    submit(services, "daily", 1, line='{"request_id": "R-1", "subject_id": "person-bad"}')
    put(services, "person-odd.exe", b"person-bad")
    put(services, "person-cut.json", b'{"subject_id": "person-bad')
    batch = validated(services)
    answer(services, batch)
    close(services, batch)
    reduction.reduce_closed(services)
    assert named(services, "person-1", "daily.jsonl") == [f"requests/quarantine/{batch}.jsonl"]
    assert len(named(services, "person-bad", "person-odd")) > 3
    assert not reduction.has_work(later(monkeypatch, 1))
    after = later(monkeypatch, 0)
    assert reduction.has_work(after)
    reduction.reduce_closed(after)
    assert named(after, "person-", "daily") == []
    assert event(after, batch, ids.QUARANTINE_EMPTIED).facts == QuarantineEmptied(files=2)
    assert not reduction.has_work(after)
    assert open_batches.open_batches(after) == []

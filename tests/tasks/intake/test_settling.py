"""A file that somebody is copying into a directory is left alone until nobody is at it."""

import os

import pytest
from hostile_names import put, row
from sent_requests import statuses

from flows.commands.submit import submit
from tasks.environment.settings import load_settings
from tasks.intake import batches, inbox, settling
from tasks.registry.services import Services
from tasks.store.objects import ObjectInfo
from tasks.subjects import open_batches


@pytest.fixture
def patient(home, monkeypatch):
    """A store that waits an hour before it believes that a file is whole."""
    monkeypatch.setenv("EXPUNGE_SETTLE_SECONDS", "3600")
    found = Services.open(load_settings())
    found.store.check()
    return found


def test_a_file_that_has_just_changed_is_left_for_the_next_look(patient, monkeypatch):
    put(patient, "daily.jsonl", row(1))
    assert inbox.new_files(patient) == []
    assert inbox.growing_count(patient) == 1
    assert not open_batches.has_work(patient)
    assert open_batches.open_batches(patient) == []
    monkeypatch.setenv("EXPUNGE_SETTLE_SECONDS", "0")
    later = Services.open(load_settings())
    assert inbox.growing_count(later) == 0
    (batch,) = open_batches.open_batches(later)
    batches.validate(later, batch)
    assert statuses(later.journal) == {"R-1": "accepted"}


def test_a_time_that_its_sender_gave_it_makes_no_file_older(patient):
    put(patient, "daily.jsonl", row(1))
    os.utime(patient.store.root / inbox.INCOMING / "daily.jsonl", (1e9, 1e9))
    assert inbox.growing_count(patient) == 1


def test_what_is_submitted_is_whole_and_read_at_once(patient, tmp_path):
    (file := tmp_path / "daily.jsonl").write_bytes(row(1))
    submit(file)
    (found,) = inbox.new_files(patient)
    assert found.key == "requests/incoming/submitted/daily.jsonl"
    assert inbox.growing_count(patient) == 0


def test_only_the_clock_of_the_files_counts(patient):
    patient.store.put("requests/look", b"")
    (look,) = patient.store.list_objects("requests/look")

    def growing(age, *, may_grow=True):
        at = look.changed_at - age
        files = [ObjectInfo("requests/incoming/a", 1, "1", changed_at=at, may_grow=may_grow)]
        return settling.growing(patient, files, "requests/incoming/submitted/")

    assert growing(1800) == {"requests/incoming/a"}
    assert growing(7200) == set()
    assert growing(-7200) == {"requests/incoming/a"}
    assert growing(0, may_grow=False) == set()


def test_an_object_of_a_bucket_is_whole(any_services):
    any_services.store.put("requests/incoming/a.jsonl", row(1))
    (info,) = any_services.store.list_objects("requests/incoming/")
    assert info.may_grow is not hasattr(any_services.store, "bucket")
    assert info.changed_at > 1.7e9


def test_a_half_copied_file_erases_nobody_and_the_whole_one_is_believed_later(services):
    whole = b"request_id,subject_id,received_at\nR-1,cust-1234,2026-01-02T03:04:05Z\n"
    put(
        services,
        "daily.csv",
        b"request_id,received_at,subject_id\nR-1,2026-01-02T03:04:05Z,cust-12",
    )
    (batch,) = open_batches.open_batches(services)
    assert batches.validate(services, batch) == {"quarantined": 1}
    put(services, "daily.csv", whole)
    _, second = open_batches.open_batches(services)
    assert batches.validate(services, second) == {"accepted": 1}
    assert batches.subjects(services, second, "person") == ["cust-1234"]

"""Which files a batch consists of, whatever their names and whatever senders do meanwhile."""

import json
import logging
import os
import subprocess
from dataclasses import asdict

import pytest
from hostile_names import MARK, SOUND, UNUSABLE, longest, outside, put, row
from sent_requests import frozen, statuses, submit

from tasks.environment.settings import load_settings
from tasks.intake import batches, inbox
from tasks.intake.inbox import INCOMING
from tasks.intake.kept_rows import file_of
from tasks.journal.events.batches import BatchFrozen
from tasks.journal.events.catalog import batch_stream
from tasks.registry.services import Services
from tasks.store import lease
from tasks.store.objects import MissingObjectError, ObjectInfo
from tasks.subjects import open_batches
from unlearning.errors import ConflictError
from unlearning.policy.digests import facts_digest, keyed_digest


def interrupted(*_):
    raise KeyboardInterrupt


def test_a_batch_keeps_its_files_when_the_sender_overwrites_or_removes_them(services):
    submit(services, "daily", 1, 2)
    batch = frozen(services)
    submit(services, "daily", 3)
    batches.validate(services, batch)
    assert statuses(services.journal) == {"R-1": "accepted", "R-2": "accepted"}
    _, second = open_batches.open_batches(services)
    services.store.delete("requests/incoming/daily.jsonl")
    batches.validate(services, second)
    assert statuses(services.journal)["R-3"] == "accepted"


def test_a_file_that_its_sender_removes_while_it_is_frozen_makes_no_batch(services):
    submit(services, "one", 1)
    listed = inbox.new_files(services)
    services.store.delete("requests/incoming/one.jsonl")
    assert inbox.freeze(services, listed, {}) == ""
    assert open_batches.open_batches(services) == []
    assert not open_batches.has_work(services)


def test_a_freeze_killed_before_its_claims_puts_no_row_into_two_batches(services, monkeypatch):
    submit(services, "one", 1)
    with monkeypatch.context() as patch:
        patch.setattr(inbox, "claim", interrupted)
        with pytest.raises(KeyboardInterrupt):
            open_batches.open_batches(services)
    submit(services, "two", 2)
    found = open_batches.open_batches(services)
    records = [r.record_id for b in found for r in inbox.read_records(services, b)]
    assert len(found) == 2
    assert len(records) == len(set(records)) == 2


def test_a_run_that_was_replaced_freezes_nothing(services):
    submit(services, "one", 1)
    listed = inbox.new_files(services)
    services.store.put("lease/000001.json", json.dumps(asdict(lease.this_process())).encode())
    with pytest.raises(ConflictError, match="Another run"):
        inbox.freeze(services, listed, {})
    assert open_batches.unfinished(services) == []


def test_a_file_belongs_to_the_batch_that_claimed_it_first(services):
    submit(services, "one", 1)
    listed = inbox.new_files(services)  # and this run sleeps through its replacement
    submit(services, "two", 2)
    batch = frozen(services)
    late = inbox.freeze(services, listed, {})
    assert batches.validate(services, late) == {}
    assert batches.validate(services, batch) == {"accepted": 2}
    assert statuses(services.journal) == {"R-1": "accepted", "R-2": "accepted"}


def test_a_file_too_large_to_read_is_one_quarantined_record_and_is_not_copied(
    services, monkeypatch
):
    monkeypatch.setattr(inbox, "MAX_BYTES", 200)
    submit(services, "huge", *range(9))
    submit(services, "small", 9)
    batch = frozen(services)
    assert batches.validate(services, batch) == {"accepted": 1, "quarantined": 1}
    (refused,) = (d for d in batches.dispositions(services, batch) if d.outcome == "quarantined")
    assert "split it" in refused.reason
    assert len(list(services.store.list_objects("requests/files/"))) == 1
    assert open_batches.open_batches(services) == [batch]


def judged(services):
    (batch,) = open_batches.open_batches(services)
    batches.validate(services, batch)
    return batch, batches.dispositions(services, batch)


def by_name(services, batch, found):
    names = {f.file_id: f.key for f in inbox.read_manifest(services, batch).files}
    return {names[file_of(d.record_id)].removeprefix(INCOMING): d for d in found}


def test_a_file_of_any_name_is_processed_or_quarantined(any_services, caplog, record_property):
    caplog.set_level(logging.DEBUG, "expunge")
    names = [*SOUND, longest(any_services), *UNUSABLE]
    for number, name in enumerate(names):
        put(any_services, name, row(number))
    load_settings().pseudonym_secret()  # makes its file
    before = outside(any_services)
    batch, found = judged(any_services)
    assert outside(any_services) == before
    by_names = by_name(any_services, batch, found)
    assert by_names.keys() == set(names)
    assert len(found) == len(names)
    for name, d in by_names.items():
        outcome = "quarantined" if name in UNUSABLE else "accepted"
        assert (name, d.outcome) == (name, outcome)
        assert UNUSABLE.get(name, "") in d.reason
    assert not inbox.new_files(any_services)
    assert MARK not in caplog.text
    for info in any_services.store.list_objects(""):
        if not info.key.startswith("requests/"):
            assert MARK.encode() not in any_services.store.get(info.key)
    record_property("tried names", len(names))


def test_a_marked_folder_is_no_file_but_a_file_may_look_like_one(home, s3_bucket):
    services = Services.open(load_settings(), f"s3://{s3_bucket}/some/prefix")
    for key in (INCOMING, f"{INCOMING}new folder/", "requests/holds/"):
        services.store.put(key, b"")
    put(services, "a.jsonl", row(1))
    _, found = judged(services)
    assert [d.outcome for d in found] == ["accepted"]
    assert not ObjectInfo(f"{INCOMING}a.jsonl/", 1, "").is_folder


def test_what_lies_in_a_directory_besides_files_with_sound_names_stops_nothing(services, tmp_path):
    incoming = services.store.root / INCOMING
    put(services, "good.jsonl", row(1))
    put(services, os.fsdecode(b"no \xff UTF-8.jsonl"), row(2))
    os.mkfifo(incoming / "pipe.jsonl")
    (incoming / "nowhere.jsonl").symlink_to(tmp_path / "nowhere")
    (incoming / "itself.jsonl").symlink_to("itself.jsonl")
    (incoming / "folder.jsonl").mkdir()
    (incoming / "up").symlink_to("..")
    (elsewhere := tmp_path / "elsewhere.jsonl").write_bytes(row(3))
    (incoming / "elsewhere.jsonl").symlink_to(elsewhere)
    (incoming / "aside").symlink_to(tmp_path)
    _, found = judged(services)
    assert [d.outcome for d in found if "is a link" not in d.reason] == ["accepted"] * 2
    assert [d.outcome for d in found if "is a link" in d.reason] == ["quarantined"] * 5
    with pytest.raises(MissingObjectError, match="link"):
        services.store.get(f"{INCOMING}elsewhere.jsonl")
    with pytest.raises(MissingObjectError, match="link"):
        list(services.store.chunks(f"{INCOMING}elsewhere.jsonl"))
    assert not inbox.new_files(services)


def test_a_tower_of_folders_too_deep_to_name_is_quarantined(services):
    put(services, "good.jsonl", row(1))
    tower = services.store.root / INCOMING / "a"
    top = f"{tower}{'/d' * 1800}"
    try:
        subprocess.run(["mkdir", "-p", top], check=True)
        subprocess.run(["touch", f"{top}/x.jsonl"], check=True)
        _, found = judged(services)
    finally:
        subprocess.run(["rm", "-rf", str(tower)], check=True)  # Python's own would not come deep
    assert sorted(d.outcome for d in found) == ["accepted", "quarantined"]
    (bad,) = (d for d in found if d.outcome == "quarantined")
    assert "cannot be fetched under its name" in bad.reason
    assert not inbox.new_files(services)


def test_the_same_files_make_the_same_batch_and_say_how_many_they_are(services):
    submit(services, "one", 1)
    batch = inbox.freeze(services, inbox.new_files(services), {"f-000001": 3})
    manifest = inbox.read_manifest(services, batch)
    assert (len(manifest.files), manifest.released) == (1, ("f-000001",))
    assert inbox.freeze(services, list(services.store.list_objects(INCOMING)), {"f-000001": 3}) == (
        batch
    )
    (event,) = services.journal.read(batch_stream(batch))
    assert event.facts == BatchFrozen(file_count=1, released_count=1)


def test_ids_of_files_and_batches_tell_nobody_without_the_key_what_a_file_was_called(services):
    submit(services, "person-1", 1)
    (info,) = inbox.new_files(services)
    facts = {"key": info.key.encode().hex(), "version": info.version}
    batch = frozen(services)
    (file,) = inbox.read_manifest(services, batch).files
    key = services.settings.pseudonym_secret()
    assert file.file_id == keyed_digest(key, facts)[:12] != facts_digest(facts)[:12]


def test_a_file_that_an_older_release_claimed_is_not_new(services):
    submit(services, "one", 1)
    (info,) = inbox.new_files(services)
    old = facts_digest({"key": info.key.encode().hex(), "version": info.version})[:12]
    services.store.put(f"requests/claims/{old}.json", b"{}")
    assert inbox.new_files(services) == []

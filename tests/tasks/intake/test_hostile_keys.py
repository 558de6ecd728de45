"""Names of files come from anybody, too: none stops the others, leaves its folder or hides."""

import logging
import os
import subprocess
import sys
import traceback

import pytest

from flows import cli
from flows.commands.hold import hold
from flows.commands.submit import submit
from tasks.environment.settings import load_settings
from tasks.intake import batches, inbox, legal_holds
from tasks.intake.submission import printable
from tasks.registry import artifacts
from tasks.registry.services import Services
from tasks.store.objects import MAX_KEY, MissingObjectError, ObjectInfo
from tasks.store.opening import open_store
from tasks.subjects import open_batches
from unlearning.errors import DataError

MARK = "nAmE"
"""Stands in every name below, so that none can be overlooked where it must not be."""
INCOMING = inbox.INCOMING

SOUND = [
    f" a b{MARK} .jsonl",
    f"..twice..dotted..{MARK}.jsonl",
    f"...{MARK}.jsonl",
    f"..{MARK}/..{MARK}.jsonl",
    f".hidden{MARK}.jsonl",
    f".scratch/{MARK}.jsonl",
    f"line\nbreak\r\t{MARK}.jsonl",
    f"\x1b[31m\x07{MARK}\x7f.jsonl",
    f"\x01\ufffe{MARK}.jsonl",
    f"ünï\u202e{MARK}.jsonl",
    f"日本\U0001f600{MARK}.jsonl",
    f"e\u0301{MARK}.jsonl",
    f"\u00e9{MARK}.jsonl",
    f"%2e%2e%2f{MARK}.jsonl",
    f"100%{MARK}%.jsonl",
    f"a+b&c=d;{MARK}.jsonl",
    f"?versionId={MARK}.jsonl",
    f"#part{MARK}.jsonl",
    f"--help{MARK}.jsonl",
    f"-rf {MARK}.jsonl",
    f"<script>alert(1)</script>{MARK}.jsonl",
    f"&lt;\"'{MARK}.jsonl",
    f"[red]{MARK}[/].jsonl",
    f"$(touch {MARK})`id`.jsonl",
    f"{{}}*{MARK}~.jsonl",
    f"a.json.gz.csv{MARK}.jsonl",
    f"{MARK}.JsonL",
    f"{'/'.join([MARK + 'y' * 196] * 4)}.jsonl",
]
UNUSABLE = {
    MARK: "of an unknown type",
    f"{MARK}.jsonl ": "of an unknown type",
    f"{MARK}.jsonl\n": "of an unknown type",
    f"{MARK}.jsonl.exe": "of an unknown type",
    f"{MARK}.csv.jsonl.gz": "not readable as gzip",
    f"{MARK}.jsonl.csv": "lacks the columns",
    f"{MARK}.jsonl.parquet": "not readable as Parquet",
}


def row(number):
    return (
        f'{{"request_id": "R-{number}", "subject_id": "s-{number}", '
        '"received_at": "2026-01-02T03:04:05Z"}'
    ).encode()


def longest(services):
    """A name that makes a key as long as S3 allows, the store's own prefix included."""
    room = MAX_KEY - len(getattr(services.store, "prefix", "") + INCOMING)
    return f"{'/'.join(['z' * 200] * 5)}{MARK}"[: room - 10] + f"{MARK}.jsonl"


def put(services, name, data):
    """As a sender would: into a bucket by its name, into a directory behind the store's back."""
    if hasattr(services.store, "bucket"):
        services.store.put(INCOMING + name, data)
    else:
        path = services.store.root / INCOMING / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def validated(services):
    (batch,) = open_batches.open_batches(services)
    batches.validate(services, batch)
    return batch, batches.dispositions(services, batch)


def by_name(services, batch, found):
    names = {f.file_id: f.key for f in inbox.read_manifest(services, batch).files}
    return {names[d.record_id.rpartition("-")[0]].removeprefix(INCOMING): d for d in found}


def outside(services):
    """Everything around the store: other objects of the bucket, other files of the home."""
    if hasattr(services.store, "bucket"):
        keys = [
            i.key
            for i in open_store(f"s3://{services.store.bucket}", services.settings).list_objects("")
        ]
        return [key for key in keys if not key.startswith(services.store.prefix)]
    around = services.store.root.parent.parent
    return [p for p in around.rglob("*") if not p.is_relative_to(services.store.root)]


def test_a_file_of_any_name_is_processed_or_quarantined(any_services, caplog, record_property):
    caplog.set_level(logging.DEBUG, "expunge")
    names = [*SOUND, longest(any_services), *UNUSABLE]
    for number, name in enumerate(names):
        put(any_services, name, row(number))
    load_settings().pseudonym_secret()  # makes its file
    before = outside(any_services)
    batch, found = validated(any_services)
    assert outside(any_services) == before
    verdicts = by_name(any_services, batch, found)
    assert verdicts.keys() == set(names)
    assert len(found) == len(names)
    for name, d in verdicts.items():
        outcome = "quarantined" if name in UNUSABLE else "accepted"
        assert (name, d.outcome) == (name, outcome)
        assert UNUSABLE.get(name, "") in d.reason
    assert not inbox.new_files(any_services)
    assert MARK not in caplog.text
    for info in any_services.store.list_objects(""):
        if not info.key.startswith("requests/"):
            assert MARK.encode() not in any_services.store.get(info.key)
    record_property("tried names", len(names))


def test_an_object_of_any_name_is_found_read_replaced_and_deleted(any_services):
    names = [*SOUND, longest(any_services), *UNUSABLE]
    for name in names:
        key = INCOMING + name
        any_services.store.put(key, b"old")
        any_services.store.put(key, name.encode())
        assert any_services.store.put_if_absent(key, name.encode())
        assert not any_services.store.put_if_absent(key, b"other")
    listed = {info.key for info in any_services.store.list_objects(INCOMING)}
    assert listed == {INCOMING + name for name in names}
    for name in names:
        assert any_services.store.get(INCOMING + name) == name.encode()
        any_services.store.delete(INCOMING + name)
    assert list(any_services.store.list_objects("")) == []
    assert any_services.store.count_noncurrent("") == 0


def test_a_key_that_no_store_can_hold_is_refused_in_words(any_services):
    before = outside(any_services)
    for name in ("../up", "a/../../../b", "..", "nul\0", "x" * 1100, "/".join(["y" * 99] * 11)):
        for write in (any_services.store.put, any_services.store.put_if_absent):
            with pytest.raises(DataError, match=r"key|refused"):
                write(INCOMING + name, b"{}")
        with pytest.raises(MissingObjectError):
            any_services.store.get(INCOMING + name)
        assert list(any_services.store.list_objects("")) == []
    assert outside(any_services) == before


def test_a_marked_folder_is_no_file_but_a_file_may_look_like_one(home, s3_bucket):
    services = Services.open(load_settings(), f"s3://{s3_bucket}/some/prefix")
    for key in (INCOMING, f"{INCOMING}new folder/", "requests/holds/"):
        services.store.put(key, b"")
    put(services, "a.jsonl", row(1))
    _, found = validated(services)
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
    _, found = validated(services)
    assert [d.outcome for d in found if "is a link" not in d.reason] == ["accepted"] * 2
    assert [d.outcome for d in found if "is a link" in d.reason] == ["quarantined"] * 5
    with pytest.raises(MissingObjectError, match="link"):
        services.store.get(f"{INCOMING}elsewhere.jsonl")
    with pytest.raises(MissingObjectError, match="link"):
        list(services.store.chunks(f"{INCOMING}elsewhere.jsonl"))
    assert not inbox.new_files(services)


def test_a_hold_that_is_a_link_stops_everything_and_its_name_stays_where_it_is(services, tmp_path):
    (elsewhere := tmp_path / "hold.jsonl").write_text('{"subject_id": "s-1"}')
    (place := services.store.root / "requests/holds").mkdir(parents=True)
    (place / f"{MARK}.jsonl").symlink_to(elsewhere)
    with pytest.raises(DataError, match="is a link") as error:
        legal_holds.subjects_on_hold(services)
    assert MARK not in "".join(traceback.format_exception(error.value))


def test_weights_that_are_a_link_are_not_purged_for_good(home, tmp_path):
    (elsewhere := tmp_path / "weights").write_bytes(b"remember")
    (place := home / "model").mkdir()
    (place / "data.pt2").symlink_to(elsewhere)
    assert not artifacts.look(load_settings(), str(place)).is_empty
    with pytest.raises(DataError, match="links"):
        artifacts.wipe(load_settings(), str(place))
    assert elsewhere.exists()
    assert (place / "data.pt2").is_symlink()


def test_a_tower_of_folders_too_deep_to_name_is_quarantined(services):
    put(services, "good.jsonl", row(1))
    tower = services.store.root / INCOMING / "a"
    top = f"{tower}{'/d' * 1800}"
    try:
        subprocess.run(["mkdir", "-p", top], check=True)
        subprocess.run(["touch", f"{top}/x.jsonl"], check=True)
        _, found = validated(services)
    finally:
        subprocess.run(["rm", "-rf", str(tower)], check=True)  # Python's own would not come deep
    assert sorted(d.outcome for d in found) == ["accepted", "quarantined"]
    (bad,) = (d for d in found if d.outcome == "quarantined")
    assert "cannot be fetched under its name" in bad.reason
    assert not inbox.new_files(services)


def test_a_file_that_its_sender_takes_back_makes_no_batch(services):
    put(services, "a.jsonl", row(1))
    files = inbox.new_files(services)
    services.store.delete(f"{INCOMING}a.jsonl")
    inbox.freeze(services, files, {})
    assert open_batches.open_batches(services) == []


HOSTILE_TO_TERMINALS = ["[red]x.jsonl", "[link=x].jsonl", "\x1b[31m\u202ex.jsonl"]


def test_a_name_is_printed_as_it_is_and_steers_no_terminal(home, tmp_path, capsys):
    files = [tmp_path / name for name in HOSTILE_TO_TERMINALS]
    for number, path in enumerate(files):
        path.write_bytes(row(number))
    submit(*files)
    for path in files:
        hold(path)
        hold(path, release=True)
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "\u202e" not in printed
    for name in ("[red]x.jsonl", "[link=x].jsonl", "\\x1b[31m\\u202ex.jsonl"):
        assert printed.split().count(name) == 3
    services = Services.open(load_settings())
    assert len(inbox.new_files(services)) == len(files)
    assert list(services.store.list_objects("requests/holds/")) == []


def test_an_error_about_a_hostile_name_is_one_sentence(home):
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", "submit", "./[/]\x1b[31m.jsonl"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == cli.EXIT_INPUT
    assert "expunge: [/]\\x1b[31m.jsonl cannot be read" in done.stderr
    assert "Traceback" not in done.stderr


def test_only_what_is_unprintable_is_spelled_out():
    assert printable("ünï 日本 \\ a.csv") == "ünï 日本 \\ a.csv"
    assert printable("a\n\x9b\udcff.csv") == "a\\n\\x9b\\udcff.csv"

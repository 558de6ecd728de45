"""Properties of the whole intake: whatever strangers send, every record ends in one state."""

import csv
import gzip
import io
import json
from collections import Counter
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from durable import durable
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from tasks.environment.settings import load_settings
from tasks.intake import batches, inbox
from tasks.intake.request_files import FIELDS
from tasks.registry.services import Services
from tasks.subjects import open_batches

HELD = "person-held"
WHO = "person-"
"""Stands in every subject id below, so that none can be overlooked where it must not be."""


@dataclass(frozen=True)
class Sent:
    """One record as it is written, and whether it is sound if its request_id is free."""

    entry: Any
    """A mapping, or a piece of JSON text."""
    sound: bool = False


PRINTABLE = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), max_size=20)
SUBJECTS = st.one_of(
    st.sampled_from([HELD, "person-1", "person-2", "person-=cmd|' /C calc'!A1", "person-</td><b>"]),
    PRINTABLE.map(lambda text: f"{WHO}{text}."),
)
REQUESTS = st.one_of(
    st.sampled_from(["R-1", "R-2", "R-3", "007", "1e9", "NaN", "null"]),
    st.text("ABab019._-", max_size=20).map(lambda text: f"Q{text}"),
)
MOMENTS = st.sampled_from(
    ["2026-01-02T03:04:05Z", "2025-12-31 23:59:59.5+14:00", "2018-05-25T00:00:00+14:00"]
)
SOUND = st.fixed_dictionaries(
    {"request_id": REQUESTS, "subject_id": SUBJECTS, "received_at": MOMENTS},
    optional={"ground": st.sampled_from("abcdef")},
)


TEXT_FLAWS = [
    {field: value}
    for field, values in {
        "request_id": [None, "has space", "=1+1", "../../etc", "é", "R" * 65, "-x", "R-1\n"],
        "subject_id": [None, " person-1", "person-\u3000", "person-\r\n1", "person-" * 40],
        "received_at": [
            None,
            "soon",
            "2026-01-02T03:04:05",
            "2999-01-01T00:00:00Z",
            "0001-01-01T00:00:00+23:59",
        ],
        "ground": ["g", "A", "aa", "person-1", "<script>alert(1)</script>"],
        "person-9 has a field of her own": ["x"],
        "__proto__": ["x"],
    }.items()
    for value in values
] + [{"request_id": "case-person-1", "subject_id": "person-1"}]
"""What makes a sound record unusable, in any format; None leaves the field out."""

JSON_FLAWS = [
    {field: value}
    for field, values in {
        "request_id": ["", 1.5, True, float("nan"), [1], {"a": None}, "\ud800", 10**300],
        "subject_id": ["", -1e999, False, ["person-1"], "person-\udfff", 10**300, "x" * 5000],
        "received_at": ["", 17, True, ["2026-01-02T03:04:05Z"]],
        "ground": ["", 5, False, ["a"], {"a": "a"}],
        "deep": [json.loads("[" * 9 + "]" * 9)],
    }.items()
    for value in values
] + [{f"field {number}": number for number in range(20)}]

NOT_A_RECORD = st.sampled_from(
    ["17", "null", '"text"', "[]", '[{"request_id": "R-1"}]', '{"request_id":"R-1","request_id":2}']
)
BROKEN_LINE = st.sampled_from(["{", "no JSON", '{"request_id": "R-1"', "\x00", "{}{}", "[" * 2000])


def spoiled(record, flaw):
    """A sound record that the flaw makes unusable."""
    return Sent({k: v for k, v in (record | flaw).items() if v is not None})


ODD_TEXT = st.one_of(
    PRINTABLE.map(lambda text: {"request_id": f"!{text}"}),
    PRINTABLE.map(lambda text: {"received_at": f"{WHO}{text}"}),
)
TEXT = st.one_of(
    SOUND.map(lambda row: Sent(row, sound=True)),
    st.builds(spoiled, SOUND, st.one_of(st.sampled_from(TEXT_FLAWS), ODD_TEXT)),
)
NUMBERED = st.tuples(SOUND, st.integers(0, 10**200)).map(
    lambda pair: Sent(pair[0] | {"subject_id": pair[1]}, sound=True)
)
SPOILED_JSON = st.builds(spoiled, SOUND, st.sampled_from(JSON_FLAWS))
JSON = st.one_of(TEXT, TEXT, NUMBERED, SPOILED_JSON, NOT_A_RECORD.map(Sent))


def spelled(sent):
    return [r.entry if isinstance(r.entry, str) else json.dumps(r.entry) for r in sent]


def as_list(sent):
    return f"[{','.join(spelled(sent))}]".encode()


def as_wrapped(sent):
    return f'{{"sender": [1, {{}}], "requests": {as_list(sent).decode()}, "end": 0}}'.encode()


def as_lines(sent):
    return "\n".join(spelled(sent)).encode()


def columns(sent):
    return sorted({*FIELDS, *(name for r in sent for name in r.entry)})


def as_csv(sent):
    cells = io.StringIO()
    writer = csv.DictWriter(cells, columns(sent))
    writer.writeheader()
    writer.writerows(r.entry for r in sent)
    return cells.getvalue().encode()


def as_parquet(sent):
    rows = [r.entry for r in sent]
    kinds = {n: {type(row[n]) for row in rows if n in row} for n in columns(sent)}
    schema = pa.schema((n, pa.int64() if k == {int} else pa.string()) for n, k in kinds.items())
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), file)
    return file.getvalue()


TEXT_FORMATS = {
    "list.json": as_list,
    "wrapped.json": as_wrapped,
    "lines.jsonl": as_lines,
    "lines.ndjson": as_lines,
    "cells.csv": as_csv,
    "columns.parquet": as_parquet,
}


def file_of(form, record):
    """A file of some records, plain or zipped."""
    return st.tuples(st.just(form), st.lists(record, min_size=1, max_size=12), st.booleans())


BATCH = st.lists(
    st.one_of(
        file_of("list.json", JSON),
        file_of("wrapped.json", JSON),
        file_of("lines.jsonl", st.one_of(JSON, JSON, BROKEN_LINE.map(Sent))),
        file_of("cells.csv", TEXT),
        file_of("columns.parquet", TEXT),
    ),
    min_size=1,
    max_size=5,
)


def send(services, number, form, sent, zipped):
    data = TEXT_FORMATS[form](sent)
    key = f"requests/incoming/{number:02}-{form}"
    services.store.put(f"{key}.gz" if zipped else key, gzip.compress(data) if zipped else data)


def expected(files):
    """What must become of each record, in the order in which they were sent."""
    owners = {}
    for form, sent, _ in files:
        if form == "lines.jsonl" and not any(isinstance(r.entry, dict) for r in sent):
            yield "quarantined"  # no line is readable: the file as a whole is one record
            continue
        for r in sent:
            yield state(r, owners) if r.sound else "quarantined"


def state(sent, owners):
    """What becomes of a sound record, by who came first with its request_id."""
    request, who = sent.entry["request_id"], str(sent.entry["subject_id"])
    if request not in owners:
        owners[request] = who
        return "on_hold" if who == HELD else "accepted"
    return "duplicate" if owners[request] == who else "quarantined"


def fresh_store(folder):
    services = Services.open(load_settings(), (folder / uuid4().hex).as_uri())
    services.store.check()
    services.store.put("requests/holds/court.jsonl", json.dumps({"subject_id": HELD}).encode())
    return services


def judged(services):
    (batch,) = open_batches.open_batches(services)
    counts = batches.validate(services, batch)
    return batch, counts, batches.dispositions(services, batch)


def check_that_every_record_ends_in_one_state(folder, files):
    services = fresh_store(folder)
    for number, (form, sent, zipped) in enumerate(files):
        send(services, number, form, sent, zipped)
    batch, counts, found = judged(services)
    wanted = list(expected(files))
    assert [d.outcome for d in found] == wanted
    assert counts == Counter(wanted)
    # The journal, which is what people ask, has every record once and with the same state.
    heads = dict(services.journal.requests())
    assert {name: event.status for name, event in heads.items()} == {
        d.record_id: d.outcome for d in found
    }
    assert {event.number for event in heads.values()} == {1}
    assert len(heads) == len(found)
    check_what_is_kept(services, batch, found)
    before = durable(services.store)
    assert judged(services) == (batch, counts, found)
    assert durable(services.store) == before


def check_what_is_kept(services, batch, found):
    """Unusable rows with their reasons, whole ids of all others, and nobody's name elsewhere."""
    for d in found:
        assert d.reason
        assert (d.request_id and d.subject) or d.outcome == "quarantined"
    bad = [d.record_id for d in found if d.outcome == "quarantined"]
    kept = services.store.get(f"requests/quarantine/{batch}.jsonl").splitlines() if bad else []
    assert [json.loads(line)["record_id"] for line in kept] == bad
    for info in services.store.list_objects(""):
        assert WHO not in info.key
        if not info.key.startswith("requests/"):
            assert WHO.encode() not in services.store.get(info.key)
            assert b"<script" not in services.store.get(info.key)


FORMS = st.lists(TEXT, min_size=1, max_size=25)


def check_that_formats_agree(folder, sent):
    """One batch of the same records in every format, each with request ids of its own."""
    services = fresh_store(folder)
    names = [(form, zipped) for form in TEXT_FORMATS for zipped in (False, True)]
    for number, (form, zipped) in enumerate(names):
        send(services, number, form, [of_file(r, number) for r in sent], zipped)
    batch, _, found = judged(services)
    keys = {f.file_id: f.key for f in inbox.read_manifest(services, batch).files}
    by_file = {}
    for d in found:
        file_id, _, row = d.record_id.rpartition("-")
        number = int(keys[file_id].removeprefix("requests/incoming/")[:2])
        request = d.request_id.removesuffix(f".{number:02}")
        told = (row, request, d.outcome, d.reason, d.received_at, d.ground, d.subject)
        by_file.setdefault(number, []).append(told)
    assert len(by_file) == len(names)
    wanted = list(expected([("any", sent, False)]))
    assert [told[2] for told in by_file[0]] == wanted
    for number, told in by_file.items():
        assert told == by_file[0], names[number]


def of_file(sent, number):
    """The record with a request_id that no other file uses: a repeated one is a duplicate."""
    if "request_id" not in sent.entry:
        return sent
    request = f"{sent.entry['request_id']}.{number:02}"
    return Sent(sent.entry | {"request_id": request}, sound=sent.sound)


# Every example is a run of half a second: making a found one smaller would take minutes.
few = settings(
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


ROW = {"request_id": "R-1", "subject_id": "person-1", "received_at": "2026-01-02T03:04:05Z"}
EVERY_FLAW = [
    ("cells.csv", [spoiled(ROW, flaw) for flaw in TEXT_FLAWS], False),
    ("lines.jsonl", [spoiled(ROW, flaw) for flaw in TEXT_FLAWS + JSON_FLAWS], True),
    ("list.json", [Sent(ROW, sound=True), Sent(ROW, sound=True)], False),
]


@settings(few, max_examples=5)
@example(files=EVERY_FLAW)
@given(files=BATCH)
def test_every_record_ends_in_exactly_one_state(home, record_property, files):
    check_that_every_record_ends_in_one_state(home, files)
    record_property("tried records", sum(len(sent) for _, sent, _ in files))


@settings(few, max_examples=2)
@given(sent=FORMS)
def test_the_same_records_give_the_same_states_in_every_format(home, record_property, sent):
    check_that_formats_agree(home, sent)
    record_property("tried records", 2 * len(TEXT_FORMATS) * len(sent))


def test_whole_numbers_are_the_same_ids_in_every_format(home):
    numbers = [0, 7, -3, 2**63 - 1, -(2**63)]
    row = {"received_at": "2026-01-02T03:04:05Z"}
    sent = [
        Sent(row | {"request_id": f"R-x{place}", "subject_id": number}, sound=True)
        for place, number in enumerate(numbers)
    ]
    check_that_formats_agree(home, sent)


@pytest.mark.slow
@settings(few, max_examples=150)
@given(files=BATCH)
def test_every_record_ends_in_exactly_one_state_often(home, record_property, files):
    check_that_every_record_ends_in_one_state(home, files)
    record_property("tried records", sum(len(sent) for _, sent, _ in files))


@pytest.mark.slow
@settings(few, max_examples=50)
@given(sent=FORMS)
def test_the_same_records_give_the_same_states_often(home, record_property, sent):
    check_that_formats_agree(home, sent)
    record_property("tried records", 2 * len(TEXT_FORMATS) * len(sent))

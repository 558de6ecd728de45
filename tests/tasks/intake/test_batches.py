import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sent_requests import frozen, hold, submit, validated

from tasks.intake import batches, inbox
from tasks.journal import journal
from tasks.journal.events import ids
from tasks.journal.events.catalog import batch_stream, request_stream
from tasks.journal.events.withheld import RequestsWithheld
from tasks.journal.reading import read_batch
from unlearning.policy.digests import pseudonym


def test_a_quarantined_row_is_kept_with_the_name_of_its_file(services):
    services.store.put("requests/incoming/from the court.jsonl", b'{"request_id": "R-1"}')
    batch = validated(services)
    (line,) = services.store.get(f"requests/quarantine/{batch}.jsonl").splitlines()
    assert json.loads(line)["file"] == "requests/incoming/from the court.jsonl"


def test_every_line_of_a_hostile_file_ends_in_exactly_one_state(services):
    good = {"request_id": "R-1", "subject_id": "=cmd|' /C calc'!A1"}
    good["received_at"] = "2026-01-02T03:04:05Z"
    lines = [
        json.dumps(good),
        json.dumps(good),
        json.dumps(good | {"subject_id": "somebody else"}),
        json.dumps(good | {"request_id": "=1+1"}),
        json.dumps(good | {"request_id": "R-2", "subject_id": float("nan")}),
        json.dumps(good | {"request_id": "R-3", "subject_id": "\ud800"}),
        '{"request_id": "R-4", "request_id": "R-5"}',
        "not JSON",
    ]
    services.store.put("requests/incoming/a b\u202e=cmd.jsonl", "\n".join(lines).encode())
    batch = frozen(services)
    counts = batches.validate(services, batch)
    assert counts == {"accepted": 1, "duplicate": 1, "quarantined": 6}
    heads = dict(services.journal.requests())
    assert [d.record_id for d in batches.dispositions(services, batch)] == list(heads)
    assert len(heads) == len(lines)
    assert batches.subjects(services, batch, "person") == [good["subject_id"]]
    kept = services.store.get(f"requests/quarantine/{batch}.jsonl").decode().splitlines()
    assert len([json.loads(line, parse_constant=pytest.fail) for line in kept]) == 6
    page = services.store.get(f"reports/{batch}/validation.html").decode()
    assert "cmd" not in page
    assert "=1+1" not in page


def test_every_record_is_told_what_was_decided_and_the_batch_how_often(services):
    hold(services, 2)
    submit(services, "one", 1, 2)
    batch = frozen(services)
    assert batches.validate(services, batch) == {"accepted": 1, "on_hold": 1}
    told = {event.facts.request_id: event.name for _, event in services.journal.requests()}
    assert told == {"R-1": "RequestAccepted", "R-2": "RequestHeld"}
    history = read_batch(services.journal, batch)
    assert history.counts == {"accepted": 1, "on_hold": 1}
    assert history.validated is not None
    assert history.validated.report == f"reports/{batch}/validation.html"


def test_what_was_decided_once_stands_when_the_holds_have_changed_since(services):
    submit(services, "one", 1)
    batch = validated(services)
    hold(services, 1)
    assert batches.validate(services, batch) == {"accepted": 1}
    (record,) = batches.dispositions(services, batch)
    (event,) = services.journal.read(request_stream(record.record_id))
    assert (event.id, event.facts.disposition) == (ids.disposition(batch), record)


def test_who_was_withheld_is_in_the_batch_no_more_but_was_before(services):
    submit(services, "one", 1, 2)
    batch = validated(services)
    first, second = batches.accepted(services, batch)
    facts = RequestsWithheld(records=(first.record_id,))
    event = services.journal.append(batch_stream(batch), ids.withheld(3), facts)
    assert batches.accepted(services, batch) == [second]
    assert batches.accepted(services, batch, at=event.number) == [first, second]
    assert batches.subjects(services, batch, "person") == ["person-2"]
    assert set(batches.subjects_by_record(services, batch, "person", [first.record_id])) == {
        first.record_id
    }


def test_the_days_that_are_left_count_to_the_earliest_due_date(services, monkeypatch):
    submit(services, "one", 1)
    batch = validated(services)  # received on 2 January, so due on 2 February
    for day, left in ((30, 3), (31, 2)):
        monkeypatch.setattr(journal, "now", lambda day=day: datetime(2026, 1, day, tzinfo=UTC))
        assert batches.days_left(services, batch) == left
    monkeypatch.setattr(journal, "now", lambda: datetime(2026, 2, 5, tzinfo=UTC))
    assert batches.days_left(services, batch) == -3


def test_pseudonyms_are_those_of_the_settings_key(services):
    key = services.settings.pseudonym_secret()
    assert batches.pseudonyms(services, ["person-1"], "person") == {
        "person-1": pseudonym(key, "person-1")
    }


@pytest.mark.parametrize("outcome", ["accepted", "on_hold"])
def test_a_request_that_is_looked_at_again_is_released_or_still_held(services, outcome):
    hold(services, 1)
    submit(services, "one", 1)
    first = validated(services)
    (known,) = batches.dispositions(services, first)
    if outcome == "accepted":
        services.store.delete("requests/holds/1.jsonl")
    batch = inbox.freeze(services, [], {known.record_id: 1})
    assert batches.validate(services, batch) == {outcome: 1}
    latest = services.journal.latest([known.record_id])[known.record_id]
    assert latest.name == {"accepted": "RequestReleased", "on_hold": "RequestHeld"}[outcome]
    again = replace(known, outcome=outcome, reason=latest.facts.reason)
    assert batches.dispositions(services, batch) == [again]

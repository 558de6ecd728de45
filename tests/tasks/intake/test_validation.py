from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from factories import dataset, disposition, enrollment

from tasks.intake.kept_rows import Record
from tasks.intake.request_files import RawRow
from tasks.intake.validation import judge, judge_again
from tasks.journal.events.catalog import request_stream
from tasks.journal.events.requests import (
    RequestAccepted,
    RequestUnclear,
    RequestWithdrawn,
    SubjectNotFound,
)
from tasks.journal.reading import record_enrollment
from unlearning.policy.digests import pseudonym

PAST = "2026-01-02T03:04:05+01:00"
KEY = b"k" * 32


def record(number, **fields):
    row = {"request_id": f"R-{number}", "subject_id": f"person-{number}", "received_at": PAST}
    row |= fields
    return Record(f"file-{number:06d}", RawRow(number, {k: v for k, v in row.items() if v != ""}))


def outcome_of(services, **fields):
    (found,) = judge(services, [record(1, **fields)], KEY)
    return found.outcome, found.reason


def test_a_sound_request_is_accepted(services):
    assert outcome_of(services, ground="b") == ("accepted", "valid")
    assert outcome_of(services, request_id="R-x", subject_id=17) == ("accepted", "valid")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"request_id": ""}, "request_id is missing"),
        ({"request_id": "has space"}, "request_id must be"),
        ({"request_id": "../../etc"}, "request_id must be"),
        ({"subject_id": ""}, "subject_id is missing"),
        ({"subject_id": " padded "}, "subject_id must be"),
        ({"subject_id": "line\nbreak"}, "subject_id must be"),
        ({"subject_id": "x" * 257}, "subject_id must be"),
        ({"subject_id": 1.5}, "subject_id is missing"),
        ({"subject_id": ["a"]}, "subject_id is missing"),
        ({"request_id": "erase-person-1"}, "contains the subject_id"),
        ({"request_id": "REQ-PERSON-1"}, "contains the subject_id"),
        ({"request_id": "42", "subject_id": 42}, "contains the subject_id"),
        ({"request_id": "a.b_x.org", "subject_id": "A.B@x.org"}, "contains the subject_id"),
        ({"received_at": ""}, "received_at is missing"),
        ({"received_at": "yesterday"}, "ISO 8601"),
        ({"received_at": "2026-01-02T03:04:05"}, "ISO 8601"),
        ({"received_at": "2999-01-01T00:00:00Z"}, "lies in the future"),
        ({"received_at": "0206-01-02T03:04:05Z"}, "before the GDPR applied"),
        ({"ground": "z"}, "ground must be"),
        ({"ground": ["a"]}, "ground must be"),
        ({"colour": "red"}, "has a field other than"),
    ],
)
def test_an_unusable_request_is_quarantined_with_its_reason(services, fields, reason):
    outcome, found = outcome_of(services, **fields)
    assert outcome == "quarantined"
    assert reason in found


@pytest.mark.parametrize("subject", [42, "@@@", "\u00e9\u00e9", "person-11"])
def test_a_case_number_that_does_not_tell_the_subject_is_accepted(services, subject):
    assert outcome_of(services, request_id="case-42-person-1", subject_id=subject)[0] == "accepted"


def test_the_kind_of_a_former_enrolment_s_table_may_still_be_named(services):
    """That table is searched until somebody closes it, so that nobody in it is turned away."""
    record_enrollment(services.journal, enrollment(dataset=dataset(subject_kind="customer")))
    elsewhere = dataset(uri="file:///staff", subject_kind="employee")
    moved = enrollment(dataset=elsewhere, holdout="file:///staff-unseen", digest="d2", version=2)
    record_enrollment(services.journal, moved)
    kinds = ("customer", "employee", "guest")
    found = [outcome_of(services, request_id=f"R-{kind}", subject_kind=kind) for kind in kinds]
    assert [outcome for outcome, _ in found] == ["accepted", "accepted", "quarantined"]


def test_a_batch_without_rows_has_no_dispositions(services):
    assert judge(services, [], KEY) == []


def test_a_clock_that_is_minutes_off_is_forgiven(services):
    soon = (datetime.now(UTC) + timedelta(minutes=2)).isoformat()
    assert outcome_of(services, received_at=soon)[0] == "accepted"


def test_the_first_of_several_equal_requests_is_kept(services):
    judged = judge(services, [record(1), record(1), record(2)], KEY)
    assert [d.outcome for d in judged] == ["accepted", "duplicate", "accepted"]


def test_a_request_id_cannot_be_reused_for_somebody_else(services):
    judge(services, [record(1)], KEY)
    again = [
        Record("later-000000", record(1).row),
        Record("later-000001", record(1, subject_id="other").row),
    ]
    judged = judge(services, again, KEY)
    assert [d.outcome for d in judged] == ["duplicate", "quarantined"]


def test_a_request_id_that_was_withdrawn_is_anybody_s_once_and_its_own_row_a_duplicate(services):
    numbers = count()

    def judged(*subjects):
        rows = [record(1, subject_id=who).row for who in subjects]
        return judge(services, [Record(f"f-{next(numbers):06d}", row) for row in rows], KEY)

    (first,) = judged("a")
    withdrawn = RequestWithdrawn(disposition=first, batch="b", name="Ada", why="Typed wrong.")
    stream = request_stream(first.record_id)
    for event_id, facts in (
        ("judged", RequestAccepted(disposition=first, batch="b")),
        ("unclear", RequestUnclear(disposition=first, batch="b")),
        ("settled", withdrawn),
    ):
        assert [d.outcome for d in judged("b")] == ["quarantined"]
        services.journal.append(stream, event_id, facts)
    assert [d.outcome for d in judged("a", "b")] == ["duplicate", "accepted"]
    assert [d.outcome for d in judged("a", "b", "c")] == ["duplicate", "duplicate", "quarantined"]
    assert [d.outcome for d in judged("a")] == ["duplicate"]
    assert [d.outcome for d in judged("c")] == ["quarantined"]
    # Who asks again under the withdrawn number is told what to do, and others what they were told.
    again = [d.reason for d in (*judged("a"), *judged("a", "b"))]
    assert again[0] == again[1]
    assert "somebody withdrew" in again[0]
    assert again[2] == "a request with this request_id is already on record"


@pytest.mark.parametrize("flaw", [{"received_at": "soon"}, {"ground": "z"}, {"colour": "red"}])
def test_an_unusable_row_does_not_own_its_request_id(services, flaw):
    judged = judge(services, [record(1, **flaw), record(1), record(1, subject_id="other")], KEY)
    assert [d.outcome for d in judged] == ["quarantined", "accepted", "quarantined"]


def test_free_text_of_an_unusable_row_is_not_repeated(services):
    (found,) = judge(services, [record(1, received_at="person-9 wrote", ground="person-9")], KEY)
    assert "person-9" not in str(found)


def test_only_a_request_of_our_own_may_hold_a_short_subject_id_by_chance(services):
    who = pseudonym(KEY, "play")
    assert outcome_of(services, request_id=f"replay-{who}-0a", subject_id="play")[0] == "accepted"
    other = pseudonym(KEY, "somebody else")
    assert (
        outcome_of(services, request_id=f"replay-{other}-0a", subject_id="play")[0] == "quarantined"
    )


def test_judging_the_same_records_again_decides_the_same(services):
    records = [record(1), record(1), record(2, ground="z")]
    assert judge(services, records, KEY) == judge(services, records, KEY)


def test_a_subject_under_legal_hold_waits(services):
    services.store.put("requests/holds/court.csv", b"request_id,subject_id\nH-1,person-2\n")
    judged = judge(services, [record(1), record(2)], services.settings.pseudonym_secret())
    assert [d.outcome for d in judged] == ["accepted", "on_hold"]


def test_a_file_that_cannot_be_read_is_judged_too(services):
    broken = Record("file-file", RawRow(0, {}, "file not readable as gzip"))
    judged = judge(services, [broken, record(1)], KEY)
    assert (judged[0].outcome, judged[0].reason) == ("quarantined", "file not readable as gzip")
    assert judged[1].outcome == "accepted"


def test_a_record_that_was_answered_meanwhile_is_left_out(services):
    known = [disposition(f"f-{n}") for n in (1, 2)]
    for d in known:
        facts = RequestAccepted(disposition=d, batch="b")
        services.journal.append(request_stream(d.record_id), "judged", facts)
    answer = SubjectNotFound(
        batch="b",
        request_id="R-1",
        subject="p",
        reason="no row",
        certificate="certificates/R-1.json",
        certificate_digest="c",
    )
    services.journal.append(request_stream("f-1"), "certified", answer)
    assert judge_again(services, ["f-1", "f-2"]) == known[1:]


def test_a_known_record_waits_while_its_subject_is_under_a_hold(services):
    key = services.settings.pseudonym_secret()
    known = disposition("f-1", subject=pseudonym(key, "person-1"))
    facts = RequestAccepted(disposition=known, batch="b")
    services.journal.append(request_stream("f-1"), "judged", facts)
    services.store.put("requests/holds/court.jsonl", b'{"subject_id": "person-1"}')
    (again,) = judge_again(services, ["f-1"])
    assert (again.outcome, again.reason) == ("on_hold", "a legal hold names the subject")

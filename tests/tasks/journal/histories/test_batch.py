import pytest
from factories import approved, attempt, frozen, preflight, rejected, validated

from tasks.journal.events import attempts as a
from tasks.journal.events import batches as b
from tasks.journal.events.event import Event
from tasks.journal.events.objects import ObjectErasureIntended, ObjectsErased
from tasks.journal.events.transitions import next_status
from tasks.journal.events.withheld import RequestsWithheld
from tasks.journal.histories.batch import batch_history

MADE, HIGHER = attempt(), attempt(rung="retrain", method="retrain")
OTHER = attempt(model="other")
OPEN = [frozen(), validated(accepted=2)]
ERASED = b.RowsErased(
    table="t",
    version_before=0,
    rows_before=100,
    rows_matched=5,
    rows_appended=0,
    version_after=1,
    rows_after=95,
    rows_matched_after=0,
)
FAILED = a.BatchBlocked(model="income", attempt=MADE.key, failed=("x",), reason="It lost.")


def history(*facts):
    events, status = [], ""
    for number, one in enumerate(facts, start=1):
        status = next_status("batches", status, one)
        events.append(Event(number, f"e{number}", f"2026-11-{number:02d}", status, one))
    return batch_history(events)


def planned(made):
    return a.AttemptPlanned(attempt=made)


def promoted(made, version=2):
    facts = {"model": made.model, "attempt": made.key}
    return a.VersionPromoted(**facts, version=version, digest=f"d{version}")


def test_an_unknown_batch_has_an_empty_history():
    found = history()
    assert (found.status, found.counts, found.plans, found.asked) == ("", {}, {}, None)


def test_status_and_counts_are_those_of_the_stream():
    found = history(*OPEN)
    assert (found.status, found.counts, found.event_count) == ("validated", {"accepted": 2}, 2)
    assert found.began_at == "2026-11-01"


def test_records_that_were_withheld_add_up():
    found = history(
        *OPEN, RequestsWithheld(records=("r1",)), RequestsWithheld(records=("r2", "r3"))
    )
    assert found.withheld_records == {"r1", "r2", "r3"}
    assert [(number, event_id) for number, event_id, _ in found.withheld] == [(3, "e3"), (4, "e4")]


def test_the_latest_plan_of_each_model_counts_also_if_an_older_one_comes_back():
    found = history(*OPEN, planned(MADE), planned(OTHER), planned(HIGHER))
    assert [one.attempt for one in found.plans.values()] == [HIGHER, OTHER]
    found = history(*OPEN, planned(MADE), planned(HIGHER), planned(MADE))
    assert found.plans["income"].attempt == MADE
    assert (found.attempts[MADE.key].planned_in, found.attempts[MADE.key].times_planned) == (5, 2)
    assert [one.attempt for one in found.of_model("income")] == [HIGHER, MADE]


def test_only_the_last_promotion_of_a_model_counts():
    found = history(*OPEN, planned(MADE), promoted(MADE, 2), planned(HIGHER), promoted(HIGHER, 3))
    assert [one.promoted.version for one in found.promoted()] == [3]


@pytest.mark.parametrize(
    ("answers", "approver"),
    [
        ([], ""),
        ([approved()], "Ada"),
        ([rejected()], ""),
        ([rejected(), approved()], "Ada"),
        ([approved(), b.ApprovalRequested(preflight=preflight(2))], ""),
    ],
)
def test_who_approved_counts_as_long_as_nothing_else_was_asked_since(answers, approver):
    found = history(*OPEN, b.ApprovalRequested(preflight=preflight()), *answers)
    assert found.approver == approver
    assert found.asked.number in (1, 2)


def test_a_question_that_was_taken_back_was_answered_by_nobody():
    found = history(
        *OPEN, b.ApprovalRequested(preflight=preflight()), b.QuestionRetracted(preflight="q")
    )
    assert (found.approver, found.status, found.answer) == ("", "validated", None)


def test_a_table_remembers_its_rounds():
    intended = b.ErasureIntended(table="t", version_before=0, rows_before=100)
    found = history(*OPEN, intended, ERASED, ERASED, b.TableGone(table="u"))
    assert found.tables["t"].is_begun
    assert found.tables["t"].erased == [ERASED, ERASED]
    assert found.tables["u"].is_gone
    assert not found.tables["u"].is_begun
    assert found.decided_at == "2026-11-06"


def test_objects_that_went_are_the_last_that_a_certificate_rests_on():
    gone = ObjectsErased(prefix="p", tables=("t",), lists=1, erased=2, shared=0, missing=0)
    begun = ObjectErasureIntended(prefix="p", lists=1, found=2)
    found = history(*OPEN, ERASED, begun, gone)
    assert found.objects == [gone]
    assert found.decided_at == "2026-11-05"
    assert history(*OPEN, ERASED, begun).objects == []


def test_what_a_batch_came_to_is_told_apart():
    assert history(*OPEN, b.SubjectsSuppressed(list="l", count=1)).is_suppressed
    assert history(*OPEN, b.SearchClosed()).is_search_closed
    assert history(*OPEN, b.BatchClosed()).is_closed
    found = history(*OPEN, planned(MADE), FAILED, b.BatchSuperseded(by="b-2"))
    assert (found.superseded_by, found.status) == ("b-2", "closed")
    assert not found.is_closed


def test_models_without_a_part_in_the_batch_are_noted():
    found = history(*OPEN, b.ModelUntouched(model="m"), b.NothingLeftToForget(model="n"))
    assert [(e.id, e.facts.model) for e in found.untouched] == [("e3", "m"), ("e4", "n")]

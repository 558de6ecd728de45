"""What the report tells of a batch: where it stands, and what else is true of its models."""

import pytest
from factories import model_preflight, preflight
from hand_made_batch import BATCH, TABLE, HandMadeBatch

from tasks.certificates.certificates import certificate_key
from tasks.certificates.certified_models import certified_models
from tasks.journal.events import batches as b
from tasks.journal.events import ids
from tasks.journal.events.withheld import RequestsWithheld
from tasks.report.batch_facts import batch_facts

WAITS = "the batch waits for approval"


def ask(batch):
    """Ask people about one model."""
    model = model_preflight(reason="income has to forget 300 of 4000 rows.")
    asked = b.ApprovalRequested(preflight=preflight(batch=BATCH, models=(model,)))
    batch.happen(ids.asked(1), asked)


def answer(batch, answered, reason):
    """What a person says to that."""
    said = answered(name="Ada Example", reason=reason, preflight="q", number=1)
    batch.happen("answer", said)


def test_a_model_that_forgot_is_not_called_untouched_when_nothing_is_left_to_plan(erased):
    erased.happen("income/untouched/2/2", b.ModelUntouched(model="income"))
    erased.happen("photos/untouched/1/2", b.ModelUntouched(model="photos"))
    text = erased.text()
    assert "photos was not trained on any of the rows" in text
    assert "income was not trained" not in text


def test_a_batch_that_waits_and_one_that_was_rejected(batch):
    batch.plan()
    ask(batch)
    assert WAITS in batch.text()
    assert f"income has to forget 300 of 4000 rows. Answer with: expunge approve {BATCH}" in (
        batch.text()
    )
    assert "Not forgotten yet" in batch.text()
    assert "Missing:" not in batch.text()
    assert "What was not proven" not in batch.text()
    answer(batch, b.BatchRejected, "wrong file")
    assert WAITS not in batch.text()
    assert "Ada Example rejected the batch: wrong file." in batch.text()


def test_who_approved_stands_on_the_page(batch):
    batch.plan()
    ask(batch)
    answer(batch, b.BatchApproved, "ticket 4711")
    batch.judge()
    batch.promote()
    batch.erase()
    assert "Approved by Ada Example : ticket 4711" in batch.text()


def test_nothing_found_nothing_asked_and_nothing_finished(services):
    batch = HandMadeBatch(services)
    batch.happen("income/untouched/1/1", b.ModelUntouched(model="income"))
    assert "Not finished" in batch.text()
    batch.answer("not_found")
    assert "No row under these ids was found" in batch.text()
    assert "income was not trained on any of the rows" in batch.text()
    assert "rows under another spelling or another id were not found" in batch.text()
    assert "Approximate unlearning" not in batch.text()


def test_a_batch_that_could_not_reach_a_table_erased_nothing_and_says_why(services):
    batch = HandMadeBatch(services)
    batch.answer("cannot_tell")
    assert "nobody can tell whether there are any" in batch.text()
    batch.happen(ids.gone("file:///gone"), b.TableGone(table="file:///gone"))
    assert "No row was erased The table file:///gone, where rows were" in batch.text()


def test_a_batch_without_accepted_requests(services):
    assert "Nothing to erase" in HandMadeBatch(services, accepted=0).text()


def test_a_request_that_a_hold_took_out_later_counts_as_on_hold(batch):
    batch.happen(ids.withheld(4), RequestsWithheld(records=("r-0",)))
    facts = batch_facts(batch.services, BATCH)
    assert facts.counts == {"accepted": 2, "on_hold": 2, "quarantined": 1, "duplicate": 1}


def test_each_round_in_a_table_has_a_line_with_the_latest_search_for_files(batch):
    batch.erase()
    batch.erase(number=2, before=3750, matched=10)
    found = batch_facts(batch.services, BATCH).tables
    assert [(t.erased.rows_before, t.erased.rows_after) for t in found] == [
        (4000, 3700),
        (3750, 3740),
    ]
    assert {t.purged.rows for t in found} == {3740}


def test_what_is_true_besides_is_told(batch):
    earlier = b.ForgottenEarlier(model="income", batch="b-0", attempt="a-0", records=("r-0", "r-1"))
    out = b.ModelOutOfService(
        model="photos", dataset=TABLE, parent_version=1, parent_digest="p", withdrawn_by="b-0"
    )
    lost = b.ModelOutOfService(
        model="texts", dataset=TABLE, parent_version=1, parent_digest="p", withdrawn_by=""
    )
    batch.happen(ids.forgotten_earlier("income", "a-0"), earlier)
    batch.happen(ids.out_of_service("photos"), out)
    batch.happen(ids.out_of_service("texts"), lost)
    batch.happen(ids.gone("file:///gone"), b.TableGone(table="file:///gone"))
    forgot, withdrawn, dropped, gone = batch_facts(batch.services, BATCH).asides
    assert forgot.startswith("income forgot the rows of 2 of these requests in batch b-0;")
    assert withdrawn.startswith("photos was withdrawn by batch b-0, and serves nobody;")
    assert dropped.startswith("texts lost its alias, since no version of it without erased")
    assert gone.startswith("The table file:///gone, where rows were to be erased, could not")


def test_old_versions_are_told_once_certificates_state_them(batch):
    batch.enroll()
    batch.plan()
    batch.judge()
    batch.promote()
    batch.erase()
    assert batch_facts(batch.services, BATCH).asides == ()
    certified_models(batch.services, BATCH)
    (told,) = batch_facts(batch.services, BATCH).asides
    assert told == (
        "Version 1 of income remembers the rows and exists, out of service, until it is purged."
    )


@pytest.mark.parametrize(("outcome", "state"), [("erased", "erased"), ("not_found", "not_found")])
def test_certificates_say_where_a_batch_stands(batch, outcome, state):
    batch.answer(outcome)
    facts = batch_facts(batch.services, BATCH)
    assert (facts.state, facts.counts[outcome], facts.due_on) == (state, 3, "2026-02-02")


def test_a_certificate_of_another_batch_answers_nothing_here(batch):
    key = certificate_key(batch.wanted[0].request_id)
    batch.put(key, {"batch": "b-other", "outcome": "erased"})
    facts = batch_facts(batch.services, BATCH)
    assert (facts.state, facts.counts["accepted"]) == ("open", 3)

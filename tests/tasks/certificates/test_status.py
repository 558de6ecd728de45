"""What `expunge status` says, from the journal alone."""

import json
from datetime import date

import pytest
from factories import approved, enrollment, preflight

from tasks.certificates.status import (
    batch_models,
    requests,
    status,
)
from tasks.journal.events import ids
from tasks.journal.events.batches import ApprovalRequested
from tasks.journal.events.catalog import request_stream
from tasks.journal.events.requests import (
    RequestAccepted,
    RequestErased,
    RequestHeld,
    RequestQuarantined,
)
from tasks.journal.reading import record_enrollment


def judged(batch):
    """Journal what the batch decided about two of its requests, and answer the first."""
    first, other = batch.judged[0], batch.judged[3]
    accepted = RequestAccepted(disposition=first, batch=batch.name)
    quarantined = RequestQuarantined(disposition=other, batch=batch.name)
    erased = RequestErased(
        batch=batch.name,
        request_id=first.request_id,
        subject=first.subject,
        reason="1 row erased; unlearned from income",
        certificate="certificates/CASE-0.json",
        certificate_digest="c",
    )
    journal = batch.services.journal
    journal.append(request_stream(first.record_id), ids.disposition(batch.name), accepted)
    journal.append(request_stream(other.record_id), ids.disposition(batch.name), quarantined)
    journal.append(request_stream(first.record_id), ids.certified(batch.name), erased)


def test_every_request_stands_with_its_meaning_and_its_certificate(batch):
    judged(batch)
    found = {one.record_id: one for one in requests(batch.services)}
    first, other = found["r-0"], found["r-90"]
    assert (first.request_id, first.status, first.is_open) == ("CASE-0", "erased", False)
    assert first.certificate == "certificates/CASE-0.json"
    assert (other.status, other.certificate) == ("quarantined", "")
    assert "kept with its reason for the sender" in other.meaning


def test_requests_of_a_batch_are_those_whose_latest_word_is_its_own(batch):
    judged(batch)
    assert [r.record_id for r in requests(batch.services, batch.name)] == ["r-0", "r-90"]
    assert list(requests(batch.services, "b-unknown")) == []


def test_a_model_is_summed_up_by_its_latest_candidate(batch):
    batch.plan()
    assert batch_models(batch.services, batch.name) == []
    batch.judge()
    (waiting,) = batch_models(batch.services, batch.name)
    assert (waiting.version, waiting.passed, waiting.outcome) == (None, True, "forgotten")
    batch.promote()
    (model,) = batch_models(batch.services, batch.name)
    assert (model.parent_version, model.version, model.failed) == (1, 2, [])
    assert model.seconds >= 0
    assert model.after.forget_accuracy == pytest.approx(0.83)


def test_everything_is_ready_for_json(batch):
    judged(batch)
    record_enrollment(batch.services.journal, enrollment())
    batch.happen(ids.asked(1), ApprovalRequested(preflight=preflight(batch=batch.name)))
    found = json.loads(json.dumps(status(batch.services)))
    assert len(found["requests"]) == 2
    (of_batch,) = found["batches"]
    assert (of_batch["batch"], of_batch["status"]) == (batch.name, "waiting")
    (asked,) = found["waiting"]
    assert asked["next"] == f"expunge approve {batch.name}"
    (model,) = found["models"]
    assert (model["model"], model["has_ledger"], model["old_versions"]) == (
        "income",
        False,
        {"retired": 0, "purged": 0},
    )
    batch.happen(ids.approved(1), approved())
    assert status(batch.services)["waiting"] == []


def test_a_model_says_by_which_recipe_it_would_be_retrained(services):
    record_enrollment(services.journal, enrollment())
    assert status(services)["models"][0]["recipe"] == ""
    record_enrollment(services.journal, enrollment(recipe=f"recipes/{'5e' * 32}.py"))
    assert status(services)["models"][0]["recipe"] == "5e" * 32


def test_an_open_request_says_when_it_is_due_and_one_that_ended_does_not(batch):
    judged(batch)
    held = RequestHeld(disposition=batch.judged[1], batch=batch.name)
    batch.services.journal.append(request_stream("r-1"), ids.disposition(batch.name), held)
    due = {one.record_id: one for one in requests(batch.services)}
    assert due["r-1"].due_on == "2026-02-03"
    assert due["r-0"].due_on == due["r-90"].due_on == ""
    assert due["r-1"].is_overdue(date(2026, 2, 4))
    assert not due["r-1"].is_overdue(date(2026, 2, 3))
    assert not due["r-0"].is_overdue(date(2030, 1, 1))


def test_files_that_no_run_has_read_are_counted(services):
    assert status(services)["unread"] == {"files": 0, "growing": 0}
    services.store.put("requests/incoming/submitted/a.jsonl", b"{}")
    assert status(services)["unread"]["files"] == 1

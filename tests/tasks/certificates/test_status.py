"""What `expunge status` and `expunge trace` say, from the journal alone."""

import json

import pytest
from factories import approved, disposition, enrollment, preflight, promotion

from tasks.certificates.status import (
    batch_models,
    requests,
    standstills,
    status,
    trace_subject,
    trace_version,
)
from tasks.journal.events import ids
from tasks.journal.events.attempts import MemoryRanOut
from tasks.journal.events.batches import ApprovalRequested
from tasks.journal.events.catalog import model_stream, request_stream
from tasks.journal.events.requests import RequestAccepted, RequestErased, RequestQuarantined
from tasks.journal.reading import record_enrollment
from unlearning.errors import DataError
from unlearning.policy.digests import pseudonym


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


def test_a_batch_that_lacks_memory_stands_still_until_something_follows(batch):
    made = batch.plan()
    _, of = batch.of(made.key)
    assert standstills(batch.services) == []
    batch.happen(made.ids.out_of_memory("update"), MemoryRanOut(**of, reason="It needs 80 GB."))
    assert standstills(batch.services) == [
        f"Batch {batch.name} stands still for income. It needs 80 GB."
    ]
    batch.make()
    assert standstills(batch.services) == []


def test_a_subject_is_traced_by_pseudonym_through_every_event(batch):
    judged(batch)
    assert trace_subject(batch.services, "somebody") == []
    who = pseudonym(batch.services.settings.pseudonym_secret(), "somebody")
    accepted = RequestAccepted(disposition=disposition("r-7", subject=who), batch=batch.name)
    batch.services.journal.append(request_stream("r-7"), "accepted", accepted)
    (found,) = trace_subject(batch.services, "somebody")
    assert found["record_id"] == "r-7"
    (event,) = found["events"]
    assert (event["name"], event["status"]) == ("RequestAccepted", "accepted")
    assert "somebody" not in json.dumps(found)


def test_a_version_is_traced_back_to_the_one_that_was_trained(batch):
    batch.enroll()
    batch.plan()
    batch.promote()
    judged(batch)
    again = batch.plan("a-2", batch="b-next", parent_version=2)
    stream = model_stream("income")
    batch.services.journal.append(stream, again.ids.promoted, promotion(again, version=3))
    newest, oldest = trace_version(batch.services, "income", 3)
    assert (newest["version"], newest["batch"], newest["requests"]) == (3, "b-next", [])
    assert (oldest["version"], oldest["batch"]) == (2, batch.name)
    assert oldest["requests"] == ["CASE-0"]
    assert trace_version(batch.services, "income", 1) == []


def test_a_version_that_was_never_enrolled_cannot_be_traced(batch):
    batch.enroll()
    with pytest.raises(DataError, match="Version 7 of income is not enrolled"):
        trace_version(batch.services, "income", 7)

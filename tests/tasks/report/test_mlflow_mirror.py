"""The audit view in MLflow, and what ends a batch or keeps it open."""

import json
from pathlib import Path

import pytest

from tasks.journal.events.catalog import request_stream
from tasks.journal.events.requests import RequestAccepted, RequestBlocked, RequestErased
from tasks.registry import mlflow_registry
from tasks.report import mlflow_mirror


@pytest.fixture
def mirrored(erased):
    """The batch with one request answered, mirrored."""
    erased.store.put(f"reports/{erased.name}/validation.html", b"<p>validated</p>")
    mlflow_mirror.mirror(erased.services, erased.name)
    return erased


def artifact(batch, path):
    registry = batch.services.registry
    run = registry.ensure_run(
        mlflow_registry.AUDIT_EXPERIMENT, f"audit/{batch.name}", f"batch {batch.name}"
    )
    kept = Path(registry.client.download_artifacts(run, path))
    return registry.client.get_run(run), kept.read_text()


def test_a_run_holds_events_counts_and_reports_of_the_batch(mirrored):
    run, events = artifact(mirrored, "events.json")
    assert json.loads(events)[0]["name"] == "BatchFrozen"
    assert run.data.metrics == {"requests_accepted": 3.0}
    assert run.info.status == "FINISHED"
    assert "replaced by a version that passed the gate" in run.data.tags["mlflow.note.content"]
    _, page = artifact(mirrored, "erasure.html")
    assert "Erased: the rows of 3 deletion requests" in page


def test_mirroring_again_uses_the_same_run(mirrored):
    first, _ = artifact(mirrored, "validation.html")
    mlflow_mirror.mirror(mirrored.services, mirrored.name)
    again, _ = artifact(mirrored, "validation.html")
    assert first.info.run_id == again.info.run_id


def test_certificates_are_named_with_their_digests(erased):
    answer = RequestErased(
        batch=erased.name,
        request_id="CASE-0",
        subject="pseudonym",
        reason="1 row erased",
        certificate="certificates/CASE-0.json",
        certificate_digest="abc",
    )
    accept(erased, "r-0")
    erased.services.journal.append(request_stream("r-0"), "certified", answer)
    erased.store.put(f"reports/{erased.name}/validation.html", b"")
    mlflow_mirror.mirror(erased.services, erased.name)
    _, digests = artifact(erased, "certificates.json")
    assert json.loads(digests) == {"certificates/CASE-0.json": "abc"}


def accept(batch, record):
    """Journal that the batch accepted the request."""
    (judged,) = (d for d in batch.judged if d.record_id == record)
    accepted = RequestAccepted(disposition=judged, batch=batch.name)
    batch.services.journal.append(request_stream(record), "judged", accepted)


def test_closing_a_batch_drops_the_weights_of_every_attempt(batch):
    for key in ("a-1", "a-2"):
        ids = batch.plan(key).ids
        batch.put(ids.candidate, {})
        batch.put(ids.checkpoint, {})
    mlflow_mirror.close(batch.services, batch.name)
    assert batch.history().is_closed
    assert list(batch.store.list_objects("candidates/")) == []
    assert list(batch.store.list_objects("checkpoints/")) == []


def test_a_blocked_batch_tells_every_request_whose_rows_were_found(batch):
    made = batch.plan()
    for request in batch.wanted:
        accept(batch, request.record_id)
    for _ in range(2):
        mlflow_mirror.block(batch.services, made, ["mia_auc_upper"], "No rung was enough.")
    assert batch.history().status == "blocked"
    told = batch.services.journal.latest(d.record_id for d in batch.wanted)
    assert {event.status for event in told.values()} == {"blocked"}
    assert {event.number for event in told.values()} == {2}
    assert all(isinstance(event.facts, RequestBlocked) for event in told.values())
    assert {event.facts.reason for event in told.values()} == {
        "income failed the gate. No rung was enough."
    }


def test_measures_of_few_people_are_not_mirrored_and_their_curves_go(batch):
    made = batch.plan(subject_count=1)
    batch.judge()
    batch.promote()
    batch.erase()
    batch.store.put(f"reports/{batch.name}/validation.html", b"<p>validated</p>")
    mlflow_mirror.mirror(batch.services, batch.name)
    _, events = artifact(batch, "events.json")
    facts = {one["name"]: one["facts"] for one in json.loads(events)}
    assert "forget_accuracy" not in events
    assert facts["CandidateEvaluated"]["evidence"]["after"]["holdout_accuracy"] > 0
    assert all("passed" in one for one in facts["CandidateAccepted"]["decision"]["checks"])
    mlflow_mirror.close(batch.services, batch.name)
    assert not any(batch.store.list_objects(made.ids.curves))

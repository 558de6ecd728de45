"""The readable audit view in MLflow: one run per batch, mirrored from the journal."""

import json
from dataclasses import asdict
from typing import Any

from tasks.attempts.attempt import Attempt
from tasks.foreign_errors import translated
from tasks.intake import batches
from tasks.intake.batches import report_key
from tasks.journal import journal
from tasks.registry import mlflow_registry
from tasks.report.report import report_figures, write_report
from tasks.store.objects import ObjectStore
from tasks.subjects.resolution import tell_located
from unlearning.policy.digests import bytes_digest


def mirror(store: ObjectStore, batch: str) -> None:
    """Write the batch's events, counts, reports and certificate digests to its run."""
    from mlflow.entities import Metric

    facts = write_report(store, batch)
    run_id = mlflow_registry.ensure_run(
        mlflow_registry.AUDIT_EXPERIMENT, f"audit/{batch}", f"batch {batch}"
    )
    events = journal.read(store, batches.stream(batch))
    now = int(journal.now().timestamp() * 1000)
    metrics = [Metric(f"requests_{o}", n, now, 0) for o, n in _counts(events).items()]
    client = mlflow_registry.client()
    with translated("MLflow"):
        client.log_batch(run_id, metrics=metrics)
        client.log_text(run_id, json.dumps([asdict(e) for e in events], indent=1), "events.json")
        client.log_text(run_id, _certificate_digests(store, batch), "certificates.json")
        report = store.get(f"reports/{batch}/validation.html").decode()
        client.log_text(run_id, report, "validation.html")
        client.log_text(run_id, store.get(report_key(batch)).decode(), "erasure.html")
        for path, figure in report_figures(facts).items():
            client.log_figure(run_id, figure, path)
        client.set_terminated(run_id)


def close(store: ObjectStore, batch: str) -> None:
    """Close a batch whose every request was answered, and drop its candidates."""
    for event in journal.read(store, batches.stream(batch)):
        if event.name == "UnlearningPlanned":
            for folder in ("candidates", "checkpoints"):
                store.delete(f"{folder}/{event.facts['key']}.safetensors")
    journal.append(store, journal.Entry(batches.stream(batch), "closed", "BatchClosed", {}))


def block(store: ObjectStore, attempt: Attempt, failed: list[str], why: str) -> None:
    """Keep the batch and its located requests open because no candidate of a model passed."""
    batch, model = attempt.batch, attempt.model
    reason = f"{model} failed the gate: {', '.join(failed)}. {why}"
    facts = {"model": model, "attempt": attempt.key, "failed": failed, "reason": reason}
    key = f"{attempt.key}/blocked"
    journal.append(store, journal.Entry(batches.stream(batch), key, "BatchBlocked", facts))
    tell_located(store, batch, key, "RequestBlocked", reason)


def _counts(events: list[journal.Event]) -> dict[str, int]:
    return next((e.facts["counts"] for e in events if e.name == "BatchValidated"), {})


def _certificate_digests(store: ObjectStore, batch: str) -> str:
    mine = [d.record_id for d in batches.accepted(store, batch)]
    told = [e.facts for e in journal.latest(store, "requests", mine).values()]
    return json.dumps(
        {f["certificate"]: _digest(store, f) for f in told if "certificate" in f}, indent=1
    )


def _digest(store: ObjectStore, facts: dict[str, Any]) -> str:
    # Events of older releases do not state it.
    return facts.get("certificate_digest") or bytes_digest(store.get(facts["certificate"]))

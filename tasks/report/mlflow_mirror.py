"""The readable audit view in MLflow: one run per batch, mirrored from the journal."""

import json
from dataclasses import asdict
from typing import Any

from tasks.foreign_errors import translated
from tasks.intake import batches
from tasks.intake.batches import report_key
from tasks.journal import journal
from tasks.journal.events.attempt import Attempt
from tasks.registry import mlflow_registry
from tasks.registry.services import Services
from tasks.report.report import report_figures, write_report
from tasks.subjects.resolution import tell_located
from unlearning.policy.digests import bytes_digest


def mirror(services: Services, batch: str) -> None:
    """Write the batch's events, counts, reports and certificate digests to its run."""
    from mlflow.entities import Metric

    facts = write_report(services, batch)
    run_id = services.registry.ensure_run(
        mlflow_registry.AUDIT_EXPERIMENT, f"audit/{batch}", f"batch {batch}"
    )
    events = services.journal.read(batches.stream(batch))
    now = int(journal.now().timestamp() * 1000)
    metrics = [Metric(f"requests_{o}", n, now, 0) for o, n in _counts(events).items()]
    client = services.registry.client
    with translated("MLflow"):
        client.log_batch(run_id, metrics=metrics)
        client.log_text(run_id, json.dumps([asdict(e) for e in events], indent=1), "events.json")
        client.log_text(run_id, _certificate_digests(services, batch), "certificates.json")
        report = services.store.get(f"reports/{batch}/validation.html").decode()
        client.log_text(run_id, report, "validation.html")
        client.log_text(run_id, services.store.get(report_key(batch)).decode(), "erasure.html")
        for path, figure in report_figures(facts).items():
            client.log_figure(run_id, figure, path)
        client.set_terminated(run_id)


def close(services: Services, batch: str) -> None:
    """Close a batch whose every request was answered, and drop its candidates."""
    for event in services.journal.read(batches.stream(batch)):
        if event.name == "UnlearningPlanned":
            for folder in ("candidates", "checkpoints"):
                services.store.delete(f"{folder}/{event.facts['key']}.safetensors")
    services.journal.append(journal.Entry(batches.stream(batch), "closed", "BatchClosed", {}))


def block(services: Services, attempt: Attempt, failed: list[str], why: str) -> None:
    """Keep the batch and its located requests open because no candidate of a model passed."""
    batch, model = attempt.batch, attempt.model
    reason = f"{model} failed the gate: {', '.join(failed)}. {why}"
    facts = {"model": model, "attempt": attempt.key, "failed": failed, "reason": reason}
    key = f"{attempt.key}/blocked"
    services.journal.append(journal.Entry(batches.stream(batch), key, "BatchBlocked", facts))
    tell_located(services, batch, key, "RequestBlocked", reason)


def _counts(events: list[journal.Event]) -> dict[str, int]:
    return next((e.facts["counts"] for e in events if e.name == "BatchValidated"), {})


def _certificate_digests(services: Services, batch: str) -> str:
    mine = [d.record_id for d in batches.accepted(services, batch)]
    told = [e.facts for e in services.journal.latest("requests", mine).values()]
    return json.dumps(
        {f["certificate"]: _digest(services, f) for f in told if "certificate" in f}, indent=1
    )


def _digest(services: Services, facts: dict[str, Any]) -> str:
    # Events of older releases do not state it.
    return facts.get("certificate_digest") or bytes_digest(services.store.get(facts["certificate"]))

"""The readable audit view in MLflow: one run per batch, mirrored from the journal."""

import json
from typing import Any

from tasks.foreign_errors import translated
from tasks.intake import batches
from tasks.intake.batches import report_key
from tasks.journal import journal
from tasks.journal.events import ids
from tasks.journal.events.attempt import Attempt
from tasks.journal.events.attempts import BatchBlocked, OfAttempt
from tasks.journal.events.batches import BatchClosed
from tasks.journal.events.catalog import batch_stream, to_json
from tasks.journal.events.requests import Answered, RequestBlocked
from tasks.journal.reading import read_batch
from tasks.registry import mlflow_registry
from tasks.registry.services import Services
from tasks.report.report import report_figures, write_report
from tasks.report.sentences import batch_headline
from tasks.subjects.matches import tell_requests_with_rows
from unlearning.policy.few_people import without_measures


def mirror(services: Services, batch: str) -> None:
    """Write the batch's events, counts, reports and certificate digests to its run."""
    from mlflow.entities import Metric

    facts = write_report(services, batch)
    run_id = services.registry.ensure_run(
        mlflow_registry.AUDIT_EXPERIMENT, f"audit/{batch}", f"batch {batch}"
    )
    events = _events(services, batch)
    now = int(journal.now().timestamp() * 1000)
    counts = read_batch(services.journal, batch).counts
    metrics = [Metric(f"requests_{o}", n, now, 0) for o, n in counts.items()]
    client = services.registry.client
    head = batch_headline(facts)
    with translated("MLflow"):
        client.set_tag(run_id, "mlflow.note.content", f"{head.title}. {head.text}")
        client.log_batch(run_id, metrics=metrics)
        client.log_text(run_id, json.dumps(events, indent=1), "events.json")
        client.log_text(run_id, _certificate_digests(services, batch), "certificates.json")
        report = services.store.get(f"reports/{batch}/validation.html").decode()
        client.log_text(run_id, report, "validation.html")
        client.log_text(run_id, services.store.get(report_key(batch)).decode(), "erasure.html")
        for path, figure in report_figures(facts).items():
            client.log_figure(run_id, figure, path)
        client.set_terminated(run_id)


def _events(services: Services, batch: str) -> list[dict[str, Any]]:
    """The batch's events as plain values, without measures of few people."""
    attempts = read_batch(services.journal, batch).attempts
    few = {key for key, one in attempts.items() if one.attempt.is_of_few}
    return [
        without_measures(to_json(event))
        if isinstance(event.facts, OfAttempt) and event.facts.attempt in few
        else to_json(event)
        for event in services.journal.read(batch_stream(batch))
    ]


def close(services: Services, batch: str) -> None:
    """Close a batch whose every request was answered, and drop its candidates."""
    for one in read_batch(services.journal, batch).attempts.values():
        services.store.delete(one.attempt.ids.candidate)
        services.store.delete(one.attempt.ids.checkpoint)
        if one.attempt.is_of_few:
            services.store.delete(one.attempt.ids.curves)
    services.journal.append(batch_stream(batch), ids.CLOSED, BatchClosed())


def block(services: Services, attempt: Attempt, failed: list[str], why: str) -> None:
    """Keep the batch and its located requests open because no candidate of a model passed."""
    batch, blocked = attempt.batch, attempt.ids.blocked
    reason = f"{attempt.model} failed the gate. {why}"
    facts = BatchBlocked(
        model=attempt.model, attempt=attempt.key, failed=tuple(failed), reason=reason
    )
    services.journal.append(batch_stream(batch), blocked, facts)
    key = ids.in_request(batch, blocked)
    tell_requests_with_rows(services, batch, key, RequestBlocked, reason)


def _certificate_digests(services: Services, batch: str) -> str:
    mine = [d.record_id for d in batches.accepted(services, batch)]
    told = [event.facts for event in services.journal.latest(mine).values()]
    answers = [facts for facts in told if isinstance(facts, Answered)]
    return json.dumps({one.certificate: one.certificate_digest for one in answers}, indent=1)

"""What happened, read from the journal alone: requests, batches, models, traces."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from tasks.approval import questions
from tasks.intake import batches
from tasks.journal import journal
from tasks.journal.events.catalog import model_stream
from tasks.journal.reading import enrolled_models
from tasks.registry.services import Services
from tasks.store.objects import MissingObjectError
from tasks.versions.old_versions import retirement_counts
from unlearning.errors import DataError
from unlearning.policy.deletion import STATUS_MEANING, is_open
from unlearning.policy.digests import pseudonym


@dataclass(frozen=True, slots=True)
class RequestSummary:
    """One record as it stands; holds no subject id."""

    record_id: str
    request_id: str
    status: str
    is_open: bool
    reason: str
    meaning: str
    batch: str
    at: str
    certificate: str


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """What a batch did to one model."""

    model: str
    parent_version: int
    version: int | None
    forget_count: int
    seconds: float
    before: dict[str, Any]
    after: dict[str, Any]
    failed: list[str]
    passed: bool
    """Whether the gate let it pass, be it with checks that failed and were tolerated."""
    reason: str
    """Why it was made in another way than the enrolment says; empty if it was not."""
    method: str
    rung: str
    outcome: str
    """What the evidence says of the forget rows."""


def requests(services: Services, batch: str | None = None) -> Iterator[RequestSummary]:
    """Every record, or those of one batch, in record order."""
    for record_id, event in _heads(services, batch):
        if batch in (None, event.facts["batch"]):
            yield RequestSummary(
                record_id=record_id,
                request_id=event.facts["request_id"],
                status=event.status,
                is_open=is_open(event.status),
                reason=event.facts["reason"],
                meaning=STATUS_MEANING[event.status],
                batch=event.facts["batch"],
                at=event.at,
                certificate=event.facts.get("certificate", ""),
            )


def _heads(services: Services, batch: str | None) -> Iterator[tuple[str, journal.Event]]:
    """Latest events of every record, or of those that were ever in the batch."""
    if batch is None:
        yield from services.journal.heads("requests")
        return
    with suppress(MissingObjectError):  # not validated yet
        mine = [d.record_id for d in batches.dispositions(services, batch)]
        yield from sorted(services.journal.latest("requests", mine).items())


def batch_models(services: Services, batch: str) -> list[ModelSummary]:
    """What the batch did to each model, latest attempt each."""
    events = services.journal.read(batches.stream(batch))
    by_id = {e.id: e for e in events}
    plans = {e.facts["model"]: e.facts for e in events if e.name == "UnlearningPlanned"}
    evaluated = [p for p in plans.values() if f"{p['key']}/evaluated" in by_id]
    return [_model(plan, by_id) for plan in evaluated]


def _model(plan: dict[str, Any], by_id: dict[str, journal.Event]) -> ModelSummary:
    key = plan["key"]
    started, ended = by_id[f"{key}/unlearned/intent"], by_id[f"{key}/unlearned"]
    promoted, judged = by_id.get(f"{key}/promoted"), by_id.get(f"{key}/judged")
    return ModelSummary(
        model=plan["model"],
        parent_version=plan["parent_version"],
        version=promoted.facts["version"] if promoted else None,
        forget_count=plan["forget_count"],
        seconds=_seconds(started.at, ended.at),
        before=by_id[f"{key}/evaluated"].facts["before"],
        after=by_id[f"{key}/evaluated"].facts["after"],
        failed=[c["name"] for c in judged.facts["checks"] if not c["passed"]] if judged else [],
        passed=judged is not None and judged.name == "CandidateAccepted",
        reason=plan.get("reason", ""),
        method=plan["method"],
        rung=plan.get("rung", "update"),
        outcome=judged.facts.get("outcome", "") if judged else "",
    )


def status(services: Services) -> dict[str, Any]:
    """Everything `expunge status --json` prints."""
    return {
        "requests": [asdict(r) for r in requests(services)],
        "batches": [
            {"batch": name, "status": event.status, "at": event.at}
            for name, event in services.journal.heads("batches")
        ],
        "waiting": [
            {"status": status, "next": f"expunge approve {asked.batch}", **asdict(asked)}
            for status, asked in questions.waiting(services)
        ],
        "models": [
            {
                "model": e.model,
                "version": e.version,
                "dataset": e.dataset.uri,
                "dataset_version": e.dataset_version,
                "row_count": e.row_count,
                "method": e.unlearning.method,
                "deletions": asdict(e.deletions),
                "budget": asdict(e.budget),
                "is_withdrawn": e.is_withdrawn,
                "old_versions": retirement_counts(services, e.model),
                "has_ledger": any(services.store.list_objects(e.ledger_key)),
            }
            for e in enrolled_models(services.journal)
        ],
    }


def standstills(services: Services) -> list[str]:
    """Batches that got no further for want of memory, one sentence or two each."""
    return [
        f"Batch {name} stands still for {event.facts['model']}. {event.facts['reason']}"
        for name, event in services.journal.open_heads("batches")
        if event.name == "MemoryRanOut"
    ]


def trace_subject(services: Services, subject_id: str) -> list[dict[str, Any]]:
    """Every event of every request of a subject, found by pseudonym."""
    wanted = pseudonym(services.settings.pseudonym_secret(), subject_id)
    found = []
    for name, head in services.journal.heads("requests"):
        if head.facts.get("subject") == wanted:
            events = services.journal.read(f"requests/{name}")
            found.append({"record_id": name, "events": [asdict(e) for e in events]})
    return found


def trace_version(services: Services, model: str, version: int) -> list[dict[str, Any]]:
    """The erasures that led to a model version, newest first.

    Raises:
        DataError: the model or version is unknown here.
    """
    events = services.journal.read(model_stream(model))
    promoted = {e.facts["version"]: e for e in events if e.name == "ChampionPromoted"}
    known = {e.facts["version"] for e in events if e.name == "ModelEnrolled"} | set(promoted)
    if version not in known:
        raise DataError(f"Version {version} of {model} is not enrolled; see `expunge status`.")
    chain = []
    while version in promoted:
        event = promoted[version]
        batch = event.facts["batch"]
        erased = [r.request_id for r in requests(services, batch) if r.status == "erased"]
        chain.append({"version": version, "at": event.at, "requests": erased, **event.facts})
        version = event.facts["parent_version"]
    return chain


def _seconds(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()

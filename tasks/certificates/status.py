"""What happened, read from the journal alone: requests, batches, models, traces."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from tasks.approval import questions
from tasks.certificates.quality import quality_lost
from tasks.enrolling.recipes.kept import recipe_digest
from tasks.intake import batches, inbox, quarantine
from tasks.journal.events.attempts import CandidateEvaluated
from tasks.journal.events.event import Event
from tasks.journal.events.requests import Answered, RequestFact
from tasks.journal.histories.attempt import AttemptHistory
from tasks.journal.reading import enrolled_models, read_batch, read_model
from tasks.registry.services import Services
from tasks.store.objects import MissingObjectError
from tasks.versions.old_versions import retirement_counts
from unlearning.evidence.evidence import NumberError
from unlearning.evidence.utility_report import EvaluationReport
from unlearning.policy.deadlines import due_on
from unlearning.policy.deletion import STATUS_MEANING, is_open


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
    due_on: str = ""
    """When an open request must be answered; empty if it is answered, or was never dated."""
    kept_at: str = ""
    """Where an unusable row or file is kept with the name of its file, which may be a person's."""

    def is_overdue(self, today: date) -> bool:
        """Whether its day has passed."""
        return bool(self.due_on) and self.due_on < today.isoformat()


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """What a batch did to one model."""

    model: str
    parent_version: int
    version: int | None
    is_withdrawn: bool
    """Whether nobody is served by it any more, since it could not be made to forget."""
    forget_count: int
    of_few: bool
    """Whether it forgot so few people that measures of their rows describe one of them."""
    seconds: float
    before: EvaluationReport
    after: EvaluationReport
    failed: list[str]
    """What each check that failed means, in words."""
    passed: bool
    """Whether the gate let it pass, be it with checks that failed and were tolerated."""
    reason: str
    """Why it was made in another way than the enrolment says; empty if it was not."""
    method: str
    rung: str
    outcome: str
    """What the evidence says of the forget rows."""
    quality: str
    """What was lost of holdout accuracy although it passed, in words; empty if nothing was."""
    error: NumberError | None = None
    """How far off it is, if it predicts a number."""


def requests(services: Services, batch: str | None = None) -> Iterator[RequestSummary]:
    """Every record, or those of one batch, in record order."""
    kept = quarantine.places(services)
    for record_id, event in _heads(services, batch):
        if batch in (None, event.facts.batch):
            yield RequestSummary(
                record_id=record_id,
                request_id=event.facts.request_id,
                status=event.status,
                is_open=is_open(event.status),
                reason=event.facts.reason,
                meaning=STATUS_MEANING[event.status],
                batch=event.facts.batch,
                at=event.at,
                certificate=event.facts.certificate,
                due_on=_due_on(event),
                kept_at=kept.get(event.facts.batch, "") if event.status == "quarantined" else "",
            )


def _due_on(event: Event[RequestFact]) -> str:
    if not is_open(event.status) or isinstance(event.facts, Answered):
        return ""
    received = event.facts.disposition.received_at
    return due_on(received).isoformat() if received else ""


def _heads(services: Services, batch: str | None) -> Iterator[tuple[str, Event[RequestFact]]]:
    """Latest events of every record, or of those that were ever in the batch."""
    if batch is None:
        yield from services.journal.requests()
        return
    with suppress(MissingObjectError):  # not validated yet
        mine = [d.record_id for d in batches.dispositions(services, batch)]
        yield from sorted(services.journal.latest(mine).items())


def batch_models(services: Services, batch: str) -> list[ModelSummary]:
    """What the batch did to each model whose latest candidate was measured."""
    latest = read_batch(services.journal, batch).plans.values()
    return [_model(services, one, one.evaluated) for one in latest if one.evaluated]


def _model(
    services: Services, history: AttemptHistory, evaluated: CandidateEvaluated
) -> ModelSummary:
    attempt, decision = history.attempt, history.decision
    return ModelSummary(
        model=attempt.model,
        parent_version=attempt.parent_version,
        version=history.promoted.version if history.promoted else None,
        is_withdrawn=history.withdrawn is not None,
        forget_count=attempt.forget_count,
        of_few=attempt.is_of_few,
        seconds=history.seconds,
        before=evaluated.evidence.before,
        after=evaluated.evidence.after,
        failed=list(decision.failed_words) if decision else [],
        passed=history.passed,
        reason=attempt.reason,
        method=attempt.method,
        rung=attempt.rung,
        outcome=decision.outcome if decision else "",
        quality=quality_lost(services, history) if history.promoted else "",
        error=evaluated.evidence.holdout_error,
    )


def _taken_out_by(services: Services, model: str) -> str:
    """Who took the model out; empty if nobody did."""
    out = read_model(services.journal, model).taken_out
    return out.name if out else ""


def status(services: Services) -> dict[str, Any]:
    """Everything `expunge status --json` prints."""
    return {
        "requests": [asdict(r) for r in requests(services)],
        "batches": [
            {"batch": name, "status": event.status, "at": event.at}
            for name, event in services.journal.batches()
        ],
        "unread": {
            "files": len(inbox.new_files(services)),
            "growing": inbox.growing_count(services),
        },
        "waiting": [
            {"status": status, "next": f"expunge approve {asked.batch}", **asdict(asked)}
            for status, asked in questions.waiting(services)
        ],
        "models": [
            {
                "model": e.model,
                "version": e.version,
                "dataset": e.dataset.uri,
                "subject_kind": e.dataset.subject_kind,
                "dataset_version": e.dataset_version,
                "row_count": e.row_count,
                "learned_rows": e.deletions.trained_rows - e.deletions.forgotten,
                "method": e.unlearning.method,
                "recipe": recipe_digest(e.recipe),
                "deletions": asdict(e.deletions),
                "budget": asdict(e.budget),
                "is_withdrawn": e.is_withdrawn,
                "taken_out_by": _taken_out_by(services, e.model),
                "old_versions": retirement_counts(services, e.model),
                "has_ledger": any(services.store.list_objects(e.ledger_key)),
            }
            for e in enrolled_models(services.journal)
        ],
    }

"""What the erasure report tells of a batch, read from the journal and the store alone."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from tasks.certificates.certified_models import certified_models
from tasks.certificates.grounds import certificate_key
from tasks.certificates.models_not_asked import not_asked
from tasks.intake import batches
from tasks.journal.events.batches import Answer, FilesPurged, ModelUntouched, RowsErased
from tasks.journal.events.models import TableClosed
from tasks.journal.histories.batch import BatchHistory
from tasks.journal.reading import closed_tables, ever_object_columns, read_batch
from tasks.registry.services import Services
from tasks.report.batch_limits import limits_of, objects_said
from tasks.report.model_facts import ModelFacts, model_facts
from tasks.store.objects import MissingObjectError
from tasks.subjects.matches import located_records
from unlearning.policy.budget import is_exact
from unlearning.policy.deadlines import due_on
from unlearning.policy.deletion import Disposition, count_outcomes

BatchState = Literal[
    "erased", "not_found", "cannot_tell", "nothing", "waiting", "rejected", "blocked", "open"
]
_ORDER = (
    *("erased", "not_found", "cannot_tell", "blocked", "accepted", "on_hold", "unclear"),
    *("quarantined", "duplicate"),
)
_OPEN: Mapping[str, BatchState] = {
    "waiting": "waiting",
    "half_erased": "waiting",
    "rejected": "rejected",
    "blocked": "blocked",
}
_READERS = 16


@dataclass(frozen=True, slots=True)
class ErasedTable:
    """Rows deleted from a table in one round, and the latest removal of its old files."""

    erased: RowsErased
    purged: FilesPurged | None
    """None if the old files are still there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFacts:
    """Everything on the report of one batch; holds no subject id."""

    batch: str
    state: BatchState
    counts: Mapping[str, int]
    """Records by status."""
    due_on: str
    """Earliest due date of the accepted requests; empty if there are none."""
    approved_by: str
    questions: tuple[str, ...]
    """Why it needs or needed approval, one sentence for each model."""
    answer: Answer | None
    """The latest answer to the question for approval."""
    models: tuple[ModelFacts, ...]
    untouched: tuple[str, ...]
    """Models that were not trained on the rows."""
    forgotten_earlier: tuple[str, ...]
    """Models that forgot the rows in an earlier batch."""
    is_out_of_reach: bool
    """Whether a table with rows was closed, or no more, so that they are not known to be gone."""
    reservations: tuple[str, ...]
    """What keeps the rows from being gone and forgotten everywhere, beside what was tried."""
    asides: tuple[str, ...]
    """What else is true of models: rows that were forgotten before, models out of service."""
    tables: tuple[ErasedTable, ...]
    objects: tuple[str, ...]
    """What became of objects that the rows pointed to, a sentence for each prefix."""
    limits: tuple[str, ...]
    """What all of this does not show, one sentence each."""
    code_version: str
    recorded_at: str
    """When the latest of these facts was recorded."""


def batch_facts(services: Services, batch: str) -> BatchFacts:
    """Everything that is on record about the batch."""
    history = read_batch(services.journal, batch)
    wanted = batches.accepted(services, batch)
    statuses = _statuses(services, batch, wanted, history.status)
    reservations = tuple(_reservations(history, closed_tables(services.journal)))
    parts, models = _parts(services, batch, history), tuple(model_facts(services.store, history))
    may_point = not ever_object_columns(services.journal).keys().isdisjoint(history.tables)
    limits = limits_of(history, statuses, parts or _judged(models), may_point=may_point)
    return BatchFacts(
        batch=batch,
        state=_state(statuses, history.status),
        counts=_counts(services, batch, wanted, statuses),
        due_on=min((due_on(d.received_at).isoformat() for d in wanted), default=""),
        approved_by=history.approver,
        questions=tuple(history.asked.reasons) if history.asked else (),
        answer=history.answer.facts if history.answer else None,
        models=models,
        untouched=_untouched(history),
        forgotten_earlier=tuple(sorted({one.model for one in history.forgotten_earlier})),
        is_out_of_reach=any(table.is_gone for table in history.tables.values()),
        reservations=reservations,
        asides=(*_asides(history, parts), *reservations, *_until(parts)),
        tables=tuple(_tables(history)),
        objects=tuple(objects_said(history)),
        limits=tuple(dict.fromkeys(limits)),
        code_version=history.validated.code_version if history.validated else "",
        recorded_at=f"{datetime.fromisoformat(history.last_at):%Y-%m-%d %H:%M:%S} UTC",
    )


def _statuses(
    services: Services, batch: str, wanted: Sequence[Disposition], stands: str
) -> list[str]:
    """The status of each accepted request: what its certificate says, or that it is open."""
    located = located_records(services, batch)

    def status(request: Disposition) -> str:
        try:
            certificate = json.loads(services.store.get(certificate_key(request.request_id)))
        except MissingObjectError:
            certificate = {}
        if certificate.get("batch") == batch:
            return certificate["outcome"]
        is_stopped = stands in ("blocked", "rejected") and request.record_id in located
        return "blocked" if is_stopped else "accepted"

    with ThreadPoolExecutor(_READERS) as pool:
        return list(pool.map(status, wanted))


def _state(statuses: Sequence[str], stands: str) -> BatchState:
    if not statuses:
        return "nothing"
    if {"accepted", "blocked"} & set(statuses):
        return _OPEN.get(stands, "open")
    if "erased" in statuses:
        return "erased"
    return "cannot_tell" if "cannot_tell" in statuses else "not_found"


def _counts(
    services: Services, batch: str, wanted: Sequence[Disposition], statuses: Sequence[str]
) -> dict[str, int]:
    judged = Counter(count_outcomes(batches.dispositions(services, batch)))
    history = read_batch(services.journal, batch)
    judged["unclear"] = len(history.near)
    # A later hold takes requests out of the accepted ones, too; who was sent ahead counts there.
    ahead = sum(len(one.as_of) for one in history.ahead.values())
    judged["on_hold"] += judged.pop("accepted", 0) - len(wanted) - judged["unclear"] - ahead
    judged.update(statuses)
    return {status: judged[status] for status in _ORDER if judged[status]}


def _tables(history: BatchHistory) -> Iterator[ErasedTable]:
    for table in history.tables.values():
        purged = table.purged[-1] if table.purged else None
        yield from (ErasedTable(one, purged) for one in table.erased)


def _untouched(history: BatchHistory) -> tuple[str, ...]:
    """Models that never had the rows: of one that forgot them since, nothing is left to plan."""
    found = {e.facts.model for e in history.untouched if isinstance(e.facts, ModelUntouched)}
    return tuple(sorted(found - history.plans.keys()))


def _asides(history: BatchHistory, parts: Sequence[dict[str, Any]]) -> Iterator[str]:
    for one in history.forgotten_earlier:
        yield (
            f"{one.model} forgot the rows of {len(one.records)} of these requests in batch "
            f"{one.batch}; their evidence stands in that batch's report."
        )
    for part in parts:
        for said in (part.get("gate_was_wider"), part.get("holdout_was_learned")):
            if said:
                yield f"{part['model']}: {said}"


def _reservations(history: BatchHistory, closed: Mapping[str, TableClosed]) -> Iterator[str]:
    for one in history.out_of_service:
        yield f"{one.model} {not_asked(one)}"
    for uri in (uri for uri, table in history.tables.items() if table.is_gone):
        why, sought = "could not be opened", "where its files went"
        if uri in closed:
            why, sought = f"was closed by {closed[uri].name}", "who erases them there"
        yield f"The table {uri}, where rows were to be erased, {why}: none was. Find out {sought}."


def _parts(services: Services, batch: str, history: BatchHistory) -> list[dict[str, Any]]:
    """What certificates state of models, once they do."""
    if not history.earlier_versions_as_of:
        return []
    return [part.stated for part in certified_models(services, batch)]


def _until(parts: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Until when versions that remember the rows exist, once that was stated."""
    for part in parts:
        model = part["model"]
        for one in part.get("earlier_versions", []):
            until = one["exists_until"]
            when = "it is purged" if until == "retired" else f"its purge on {until}"
            yield (
                f"Version {one['version']} of {model} remembers the rows and exists, out of "
                f"service, until {when}."
            )


def _judged(models: Sequence[ModelFacts]) -> list[dict[str, Any]]:
    """What was judged so far, in the form of a certificate, as far as limits depend on it."""
    found: list[dict[str, Any]] = []
    for model in models:
        decision, method = model.last.decision, model.last.attempt.method
        if model.state == "withdrawn":
            found.append({"outcome": "withdrawn"})
        elif decision and decision.is_measured:
            judged = {"outcome": decision.outcome, "method": method, "is_exact": is_exact(method)}
            probes = model.last.evidence.probes if model.last.evidence else None
            is_blind = probes is not None and probes.no_canaries
            found.append({**judged, **({"no_control": True} if is_blind else {})})
    return found

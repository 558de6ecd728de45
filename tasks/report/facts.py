"""What the erasure report tells, read from the journal and the store alone."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar

from pydantic import TypeAdapter, ValidationError

from tasks.approval.questions import approver
from tasks.attempts.curves import read_curves
from tasks.intake import batches
from tasks.records.certificates import certificate_key
from tasks.records.certified_models import certified_models, why_out_of_service
from tasks.store import journal
from tasks.store.objects import MissingObjectError, ObjectStore
from tasks.subjects.resolution import matches
from unlearning.errors import DataError
from unlearning.evaluation.curves import Curves
from unlearning.evidence.evidence import Evidence
from unlearning.gate.gate import GateDecision
from unlearning.policy.deadlines import due_date
from unlearning.policy.deletion import Disposition, count_outcomes

BatchState = Literal["erased", "not_found", "nothing", "waiting", "rejected", "blocked", "open"]
ModelState = Literal["promoted", "withdrawn", "blocked", "planned"]
T = TypeVar("T")
_EVIDENCE = TypeAdapter(Evidence)
_DECISION = TypeAdapter(GateDecision)
_MADE = ("unlearned", "promoted")
"""Steps after which there should be evidence."""
_ENDS: tuple[ModelState, ...] = ("promoted", "withdrawn", "blocked")
_ORDER = ("erased", "not_found", "blocked", "accepted", "on_hold", "quarantined", "duplicate")
_OPEN: Mapping[str, BatchState] = {
    "waiting": "waiting",
    "half_erased": "waiting",
    "rejected": "rejected",
    "blocked": "blocked",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RungFacts:
    """One attempt to make a model forget; None is what was not recorded or cannot be read."""

    plan: Mapping[str, Any]
    """Facts of its UnlearningPlanned."""
    decision: GateDecision | None
    evidence: Evidence | None
    curves: Curves | None
    curves_digest: str
    failure: str
    """Why no candidate was made or measured, in one sentence; empty if one was."""
    obstacle: str
    """Why no retrain followed, in one sentence; empty if nothing stood in its way."""
    troubles: tuple[str, ...]
    """What of it is missing, one sentence each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What the batch did to one model."""

    name: str
    state: ModelState
    reason: str
    """Why it was blocked or withdrawn."""
    version: int | None
    """The version that was promoted."""
    digest: str
    """Digest of its weights."""
    rungs: tuple[RungFacts, ...]
    """In the order in which they were tried; never empty."""

    @property
    def last(self) -> RungFacts:
        """The rung that decided."""
        return self.rungs[-1]


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
    answer: Mapping[str, Any]
    """Facts of the latest answer to the question for approval; empty without one."""
    models: tuple[ModelFacts, ...]
    untouched: tuple[str, ...]
    """Models that were not trained on the rows."""
    asides: tuple[str, ...]
    """What else is true of models: rows that were forgotten before, models out of service."""
    tables: tuple[Mapping[str, Any], ...]
    code_version: str
    recorded_at: str
    """When the latest of these facts was recorded."""


def batch_facts(store: ObjectStore, batch: str) -> BatchFacts:
    """Everything that is on record about the batch."""
    events = journal.read(store, batches.stream(batch))
    wanted = batches.accepted(store, batch)
    statuses = _statuses(store, batch, wanted, events[-1].status)
    answers = [e.facts for e in events if e.name in ("BatchApproved", "BatchRejected")]
    received = [datetime.fromisoformat(d.received_at).date() for d in wanted]
    told = [e for e in events if e.name != "BatchClosed"]
    validated = next((e.facts for e in events if e.name == "BatchValidated"), {})
    return BatchFacts(
        batch=batch,
        state=_state(statuses, events[-1].status),
        counts=_counts(store, batch, wanted, statuses),
        due_on=min((due_date(one).isoformat() for one in received), default=""),
        approved_by=approver(events),
        questions=_questions(events),
        answer=answers[-1] if answers else {},
        models=tuple(_models(store, events)),
        untouched=_untouched(events),
        asides=(*_asides(events), *_until(store, batch, events)),
        tables=tuple(_tables(events)),
        code_version=validated.get("code_version", ""),
        recorded_at=f"{datetime.fromisoformat(told[-1].at):%Y-%m-%d %H:%M:%S} UTC",
    )


def _statuses(
    store: ObjectStore, batch: str, wanted: Sequence[Disposition], stands: str
) -> list[str]:
    """The status of each accepted request: what its certificate says, or that it is open."""
    located = {record for m in matches(store, batch) for record in m.rows}

    def status(request: Disposition) -> str:
        try:
            certificate = json.loads(store.get(certificate_key(request.request_id)))
        except MissingObjectError:
            certificate = {}
        if certificate.get("batch") == batch:
            return certificate["outcome"]
        is_stopped = stands in ("blocked", "rejected") and request.record_id in located
        return "blocked" if is_stopped else "accepted"

    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(status, wanted))


def _state(statuses: Sequence[str], stands: str) -> BatchState:
    if not statuses:
        return "nothing"
    if {"accepted", "blocked"} & set(statuses):
        return _OPEN.get(stands, "open")
    return "erased" if "erased" in statuses else "not_found"


def _counts(
    store: ObjectStore, batch: str, wanted: Sequence[Disposition], statuses: Sequence[str]
) -> dict[str, int]:
    judged = Counter(count_outcomes(batches.dispositions(store, batch)))
    # A hold that was placed later takes requests out of the accepted ones.
    judged["on_hold"] += judged.pop("accepted", 0) - len(wanted)
    judged.update(statuses)
    return {status: judged[status] for status in _ORDER if judged[status]}


def _tables(events: Sequence[journal.Event]) -> list[dict[str, Any]]:
    purged = {e.facts["table"]: e.facts for e in events if e.name == "FilesPurged"}
    erased = [e.facts for e in events if e.name == "RowsErased"]
    return [{**one, "purged": purged.get(one["table"])} for one in erased]


def _questions(events: Sequence[journal.Event]) -> tuple[str, ...]:
    asked = [e.facts for e in events if e.name == "ApprovalRequested"]
    return tuple(m["reason"] for m in asked[-1]["models"] if m["reason"]) if asked else ()


def _untouched(events: Sequence[journal.Event]) -> tuple[str, ...]:
    """Models that never had the rows: of one that forgot them since, nothing is left to plan."""
    planned = {e.facts["model"] for e in events if e.name == "UnlearningPlanned"}
    return tuple(sorted({e.facts["model"] for e in events if e.name == "ModelUntouched"} - planned))


def _asides(events: Sequence[journal.Event]) -> tuple[str, ...]:
    before = [
        f"{e.facts['model']} forgot the rows of {len(e.facts['records'])} of these requests in "
        f"batch {e.facts['batch']}; their evidence stands in that batch's report."
        for e in events
        if e.name == "ForgottenBefore"
    ]
    out = [
        f"{e.facts['model']} {why_out_of_service(e.facts)}, and serves nobody; its weights were "
        "not made to forget these rows."
        for e in events
        if e.name == "ModelOutOfService"
    ]
    gone = [
        f"The table {e.facts['table']}, in which rows were found, was no more when they were to be "
        "erased; none was erased there. Find out where its files went."
        for e in events
        if e.name == "TableGone"
    ]
    return (*before, *out, *gone)


def _until(store: ObjectStore, batch: str, events: Sequence[journal.Event]) -> Iterator[str]:
    """Until when versions that remember the rows exist, once that was stated."""
    if not any(e.name == "EarlierVersionsStated" for e in events):
        return
    for part in certified_models(store, batch):
        for one in part.facts.get("earlier_versions", []):
            until = one["exists_until"]
            when = "it is purged" if until == "retired" else f"its purge on {until}"
            yield (
                f"Version {one['version']} of {part.facts['model']} remembers the rows and exists, "
                f"out of service, until {when}."
            )


def _models(store: ObjectStore, events: Sequence[journal.Event]) -> list[ModelFacts]:
    # By key: a plan that was left and came back counts where it came back.
    plans: dict[str, dict[str, Any]] = {}
    for event in events:
        if event.name == "UnlearningPlanned":
            plans.pop(event.facts["key"], None)
            plans[event.facts["key"]] = event.facts
    by_id = {e.id: e for e in events}
    names = sorted({plan["model"] for plan in plans.values()})
    return [
        _model(store, name, [p for p in plans.values() if p["model"] == name], by_id)
        for name in names
    ]


def _model(
    store: ObjectStore,
    name: str,
    plans: Sequence[Mapping[str, Any]],
    by_id: Mapping[str, journal.Event],
) -> ModelFacts:
    key = plans[-1]["key"]
    ended: list[ModelState] = [end for end in _ENDS if f"{key}/{end}" in by_id]
    state: ModelState = ended[0] if ended else "planned"
    facts = by_id[f"{key}/{state}"].facts if ended else {}
    return ModelFacts(
        name=name,
        state=state,
        reason=facts.get("reason", ""),
        version=facts["version"] if state == "promoted" else None,
        digest=facts.get("digest", ""),
        rungs=tuple(_rung(store, plan, by_id) for plan in plans),
    )


def _rung(
    store: ObjectStore, plan: Mapping[str, Any], by_id: Mapping[str, journal.Event]
) -> RungFacts:
    key, troubles = plan["key"], list[str]()
    evaluated, judged = by_id.get(f"{key}/evaluated"), by_id.get(f"{key}/judged")
    evidence = _read(_EVIDENCE, evaluated, "evidence", troubles)
    decision = _read(_DECISION, judged, "decision of the gate", troubles)
    kept = evaluated.facts.get("curves", {}) if evaluated else {}
    chosen = [e.facts for i, e in by_id.items() if i.startswith(f"{key}/next/")]
    failures = [e.facts["reason"] for i, e in by_id.items() if i.startswith(f"{key}/failed/")]
    obstacles = [facts["obstacle"] for facts in chosen if "obstacle" in facts]
    return RungFacts(
        plan=plan,
        decision=decision,
        evidence=evidence,
        curves=_curves(store, kept, troubles) if evaluated else None,
        curves_digest=kept.get("digest", ""),
        failure=failures[-1] if failures and judged is None else "",
        obstacle=obstacles[-1] if obstacles else "",
        troubles=tuple(troubles) if {f"{key}/{step}" for step in _MADE} & set(by_id) else (),
    )


def _read(
    form: TypeAdapter[T], event: journal.Event | None, what: str, troubles: list[str]
) -> T | None:
    if event is None:
        troubles.append(f"The {what} was not recorded.")
        return None
    try:
        return form.validate_python(event.facts)
    except ValidationError:
        troubles.append(f"The {what} was recorded but cannot be read.")
        return None


def _curves(store: ObjectStore, kept: Mapping[str, Any], troubles: list[str]) -> Curves | None:
    if not kept:
        troubles.append("No curves were recorded, so that there are no pictures.")
        return None
    try:
        return read_curves(store, kept)
    except DataError as error:
        troubles.append(str(error))
        return None

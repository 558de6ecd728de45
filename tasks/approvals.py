"""Batches that wait for a person: what is asked, what was answered, and whether it still holds.

A preflight is recorded as ApprovalRequested, an answer as BatchApproved or BatchRejected, in the
batch's own stream: whoever restarts finds the same question and the same answer.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from tasks import batches, journal, registry
from tasks.attempts import Attempt, is_untouched, plan_digest, under_way
from tasks.durations import retrain_forecast
from tasks.enrollment import enrolled_models, read_enrollment
from tasks.object_store import ObjectStore
from tasks.references import read_recall
from tasks.resolution import tell_located
from unlearning.approval import (
    Experience,
    ModelPreflight,
    expected_change,
    expected_seconds,
    share_of,
    why_approval,
)
from unlearning.budget import is_exact
from unlearning.deadline import due_date
from unlearning.duration import span
from unlearning.errors import ConflictError, DataError, SettingsError
from unlearning.foresight import foreseen_power
from unlearning.lineage import SHORT, facts_digest

log = logging.getLogger("expunge.approvals")

Decision = Literal["approve", "reject"]
_OPEN = ("waiting", "rejected")
_QUESTIONS = ("ApprovalRequested", "ApprovalWithdrawn")
_ANSWERS = ("BatchApproved", "BatchRejected")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """What a person is asked to approve; holds no subject id."""

    batch: str
    number: int
    """How many times the batch asked, this time included."""
    digest: str
    """Digest of the plans; an answer holds for these and for no others."""
    due_on: str
    """Earliest due date of the batch's requests."""
    models: tuple[ModelPreflight, ...]
    """Models that are served come first, in each half the largest share."""

    @property
    def reasons(self) -> list[str]:
        """Why the batch waits, one sentence for each model that is above its limits."""
        return [m.reason for m in self.models if m.reason]


def seek_approval(store: ObjectStore, batch: str, plans: Sequence[Attempt]) -> bool:
    """Whether the planned attempts may be made; if not, people have been asked to approve them.

    An answer holds as long as nothing was added to the plans that it was given for. Who rejected a
    batch is not overruled by a change of the plans or of the limits: it waits until it is approved.
    """
    settle(store, batch)
    events = journal.read(store, batches.stream(batch))
    status, asked = events[-1].status, latest_preflight(events)
    if status == "erasing":
        # Some of the rows are gone already: half an erasure helps nobody.
        return True
    is_rejected = status == "rejected" and bool(batches.accepted(store, batch))
    if not is_rejected and not any(_reason(store, plan) for plan in plans):
        _withdraw_question(store, batch, asked, status)
        return True
    is_asked = asked is not None and _covers(asked, plans)
    if asked is not None and is_asked and _is_approved(events, asked):
        return True
    if asked is None or not is_asked or status not in _OPEN:
        asked = _ask(store, batch, plans, number=asked.number + 1 if asked else 1)
    word = "was rejected" if is_rejected else "waits for approval"
    log.warning("Batch %s %s, due on %s. %s", batch, word, asked.due_on, " ".join(asked.reasons))
    return False


def decide(
    store: ObjectStore, batch: str, decision: Decision, *, name: str, reason: str = ""
) -> Preflight:
    """Record a person's answer to the batch's latest preflight, and tell its requests.

    Raises:
        SettingsError: there is no name, or no reason for a rejection.
        DataError: there is no such batch.
        ConflictError: the batch does not wait, or its plan changed since people were asked.
    """
    name, reason = name.strip(), reason.strip()
    if not name:
        raise SettingsError("Nobody's name was given; say who decides with --by NAME.")
    if decision == "reject" and not reason:
        raise SettingsError("A rejection needs a reason; give it with --reason TEXT.")
    asked = _question(store, batch, decision)
    event, word = _WORDS[decision]
    facts = {"name": name, "reason": reason, "preflight": asked.digest, "number": asked.number}
    key = f"approval/{asked.number}/{word}"
    journal.append(store, journal.Entry(batches.stream(batch), key, event, facts))
    settle(store, batch)
    return asked


_WORDS: Mapping[Decision, tuple[str, str]] = {
    "approve": ("BatchApproved", "approved"),
    "reject": ("BatchRejected", "rejected"),
}


def waiting(store: ObjectStore) -> list[tuple[str, Preflight]]:
    """Status and latest preflight of every batch that somebody must answer, by batch."""
    found: list[tuple[str, Preflight]] = []
    for batch, head in journal.heads(store, "batches"):
        if head.status in _OPEN:
            asked = latest_preflight(journal.read(store, batches.stream(batch)))
            found += [(head.status, asked)] if asked else []
    return found


def describe(store: ObjectStore, batch: str) -> str:
    """The latest preflight as text, for a form that has no tables."""
    asked = latest_preflight(journal.read(store, batches.stream(batch)))
    if asked is None:
        return ""
    models = [
        f"- {m.model} version {m.parent_version}: {m.forget_count} of {m.row_count} rows "
        f"({m.share:.1%}), {m.method}; a retrain takes "
        f"{'nobody knows how long' if m.retrain_seconds is None else span(m.retrain_seconds)}"
        for m in asked.models
    ]
    why = " ".join(asked.reasons)
    return "\n".join([f"Batch {batch}, due on {asked.due_on}. {why}", "", *models])


def outdated(store: ObjectStore) -> list[str]:
    """Batches that wait and whose plan no longer holds, because others changed their models."""
    return [asked.batch for _, asked in waiting(store) if _is_outdated(store, asked)]


def latest_preflight(events: Sequence[journal.Event]) -> Preflight | None:
    """The latest preflight among a batch's events, if people were ever asked."""
    found = next((e for e in reversed(events) if e.name == "ApprovalRequested"), None)
    if found is None:
        return None
    models = tuple(ModelPreflight(**m) for m in found.facts["models"])
    return Preflight(**{**found.facts, "models": models})


def approver(events: Sequence[journal.Event]) -> str:
    """Who approved what was done; empty if nobody had to."""
    found = (e for e in reversed(events) if e.name in (*_QUESTIONS, *_ANSWERS))
    last = next(found, None)
    return last.facts["name"] if last is not None and last.name == "BatchApproved" else ""


def settle(store: ObjectStore, batch: str) -> None:
    """Carry the latest answer over to the batch's requests, once."""
    events = journal.read(store, batches.stream(batch))
    answer = next((e for e in reversed(events) if e.name in _ANSWERS), None)
    if answer is None or any(e.id == f"{answer.id}/settled" for e in events):
        return
    name, why = answer.facts["name"], answer.facts["reason"]
    if answer.name == "BatchRejected":
        reason = f"{name} rejected batch {batch}: {why}"
        tell_located(store, batch, f"{batch}/{answer.id}", "RequestBlocked", reason)
    elif any(e.name in ("BatchRejected", "BatchBlocked") for e in events):
        reason = f"{name} approved batch {batch}" + (f": {why}" if why else "")
        tell_located(store, batch, f"{batch}/{answer.id}", "RequestUnblocked", reason)
    told = journal.Entry(batches.stream(batch), f"{answer.id}/settled", "RequestsSettled", {})
    journal.append(store, told)


def _question(store: ObjectStore, batch: str, decision: Decision) -> Preflight:
    """The preflight that may be answered now."""
    events = journal.read(store, batches.stream(batch))
    if not events:
        raise DataError(f"There is no batch {batch!r}; `expunge status` lists those that wait.")
    status, asked = events[-1].status, latest_preflight(events)
    if asked is None or status not in (_OPEN if decision == "approve" else _OPEN[:1]):
        raise ConflictError(
            f"Batch {batch} does not wait for approval, it is {_state(events)}; "
            "`expunge status` lists those that wait."
        )
    batches.refuse_held(store, batch)
    if _is_outdated(store, asked):
        raise ConflictError(
            f"The plan of batch {batch} changed since people were asked; `expunge run` asks anew, "
            "then decide."
        )
    return asked


def _state(events: Sequence[journal.Event]) -> str:
    name, status = approver(events), events[-1].status
    return f"{status} and approved by {name}" if name else status


def _is_outdated(store: ObjectStore, asked: Preflight) -> bool:
    now: list[Attempt] = []
    for enrollment in enrolled_models(store):
        if enrollment.is_withdrawn or is_untouched(store, asked.batch, enrollment):
            continue
        attempt = under_way(store, asked.batch, enrollment)
        if attempt is None:
            return True
        now.append(attempt)
    return not _covers(asked, now)


def _is_approved(events: Sequence[journal.Event], asked: Preflight) -> bool:
    return any(e.name == "BatchApproved" and e.facts["number"] == asked.number for e in events)


def _covers(asked: Preflight, plans: Sequence[Attempt]) -> bool:
    """Whether people were asked about all of these; a model that was withdrawn is no new plan."""
    return {plan_digest(p) for p in plans} <= {m.plan for m in asked.models}


def _reason(store: ObjectStore, plan: Attempt) -> str:
    policy = read_enrollment(store, plan.model).approval
    return why_approval(policy, plan.model, plan.forget_count, plan.row_count)


def _withdraw_question(
    store: ObjectStore, batch: str, asked: Preflight | None, status: str
) -> None:
    """Take the question back, because the batch as it is now needs no answer."""
    if asked is not None and status in _OPEN:
        key = f"approval/{asked.number}/withdrawn"
        facts = {"preflight": asked.digest}
        journal.append(store, journal.Entry(batches.stream(batch), key, "ApprovalWithdrawn", facts))


def _ask(store: ObjectStore, batch: str, plans: Sequence[Attempt], *, number: int) -> Preflight:
    models = [_model(store, plan) for plan in plans]
    preflight = Preflight(
        batch=batch,
        number=number,
        digest=facts_digest({m.model: m.plan for m in models})[:SHORT],
        due_on=_due_on(store, batch),
        models=tuple(sorted(models, key=lambda m: (not m.is_serving, -m.share, m.model))),
    )
    key = f"approval/{number}/requested"
    entry = journal.Entry(batches.stream(batch), key, "ApprovalRequested", asdict(preflight))
    return latest_preflight([journal.append(store, entry)]) or preflight


def _model(store: ObjectStore, plan: Attempt) -> ModelPreflight:
    earlier = _experience(store, plan.model, plan.method)
    share = share_of(plan.forget_count, plan.row_count)
    seconds = expected_seconds(earlier, plan.method, plan.forget_count, plan.row_count)
    found = retrain_forecast(store, read_enrollment(store, plan.model), plan.forget_count)
    retrain = None if found is None else found.expected
    return ModelPreflight(
        model=plan.model,
        plan=plan_digest(plan),
        parent_version=plan.parent_version,
        is_serving=registry.alias_version(plan.model) == plan.parent_version,
        method=plan.method,
        forget_count=plan.forget_count,
        row_count=plan.row_count,
        reason=_reason(store, plan),
        seconds=retrain if seconds is None and is_exact(plan.method) else seconds,
        retrain_seconds=retrain,
        holdout_change=expected_change(earlier, share),
        power=_power(store, plan),
    )


def _power(store: ObjectStore, plan: Attempt) -> float | None:
    """What the gate's attack can be expected to see; None before references were made."""
    recall = read_recall(store, plan.model)
    if recall is None:
        return None
    return foreseen_power(recall, plan.forget_count, read_enrollment(store, plan.model).policy)


def _experience(store: ObjectStore, model: str, method: str) -> list[Experience]:
    """What candidates of the model that were made in this way cost and changed, in any batch."""
    found: list[Experience] = []
    for batch, _ in journal.heads(store, "batches"):
        by_id = {e.id: e for e in journal.read(store, batches.stream(batch))}
        plans = [e.facts for e in by_id.values() if e.name == "UnlearningPlanned"]
        mine = [p for p in plans if (p["model"], p["method"]) == (model, method)]
        found += [_made(plan, by_id) for plan in mine if f"{plan['key']}/unlearned" in by_id]
    return found


def _made(plan: dict[str, Any], by_id: Mapping[str, journal.Event]) -> Experience:
    began, ended = (
        datetime.fromisoformat(by_id[f"{plan['key']}/unlearned{step}"].at)
        for step in ("/intent", "")
    )
    evaluated = by_id.get(f"{plan['key']}/evaluated")
    return Experience(
        forget_count=plan["forget_count"],
        row_count=plan["row_count"],
        seconds=(ended - began).total_seconds(),
        holdout_change=evaluated and _holdout_change(evaluated.facts),
    )


def _holdout_change(facts: dict[str, Any]) -> float:
    return facts["after"]["holdout_accuracy"] - facts["before"]["holdout_accuracy"]


def _due_on(store: ObjectStore, batch: str) -> str:
    received = [datetime.fromisoformat(d.received_at) for d in batches.accepted(store, batch)]
    return min((due_date(one.date()).isoformat() for one in received), default="")

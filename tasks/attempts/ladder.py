"""What follows a candidate that did not pass: the next rung, or a model out of service."""

import logging
from dataclasses import replace
from typing import Any

from tasks.attempts.attempt import Attempt, entry, once_in, plan_facts
from tasks.attempts.inputs import inputs
from tasks.intake import batches
from tasks.models.enrollment import Enrollment, read_enrollment, stream
from tasks.models.timed_trainings import retrain_forecast
from tasks.registry import mlflow_registry
from tasks.store import journal, lease
from tasks.store.objects import ObjectStore
from tasks.subjects import late_holds
from unlearning.errors import ConflictError, ModelError, UnfitRowsError
from unlearning.gate.gate import GateDecision
from unlearning.methods.retrain import retrain_obstacle
from unlearning.policy.budget import is_exact, why_over_budget
from unlearning.policy.deadlines import Forecast, why_too_late
from unlearning.policy.ladder import NextRung, next_rung

log = logging.getLogger("expunge.ladder")


def choose_rung(store: ObjectStore, attempt: Attempt, decision: GateDecision) -> NextRung:
    """The next rung after a candidate that did not pass, recorded for the audit trail."""
    enrollment = read_enrollment(store, attempt.model)
    days = batches.days_left(store, attempt.batch)
    forecast = retrain_forecast(store, enrollment, attempt.forget_count)
    obstacle = _obstacle(store, attempt, forecast, days)
    chosen = next_rung(
        attempt.rung,
        attempt.method,
        decision,
        enrollment.policy,
        days_left=days,
        obstacle=obstacle,
        untried=_untried(store, attempt, enrollment),
    )
    if chosen.rung == "withdraw" and _may_be_mended(store, attempt):
        reason = f"{chosen.reason} Unless the table is mended, the next run withdraws the model."
        chosen = replace(chosen, rung="wait", reason=reason)
    if chosen.rung == "update":
        chosen = replace(chosen, reason=f"{attempt.reason} {chosen.reason}")
    facts: dict[str, Any] = {"model": attempt.model, "rung": chosen.rung, "reason": chosen.reason}
    facts |= {"obstacle": obstacle} if obstacle else {}
    facts["retrain_seconds"] = None if forecast is None else forecast.expected
    # Days pass, so that a later run may choose otherwise; each choice is recorded once.
    journal.append(store, entry(attempt, f"next/{chosen.rung}", "RungChosen", facts))
    return chosen


def _untried(store: ObjectStore, attempt: Attempt, enrollment: Enrollment) -> str:
    """Method of the update that a suspicion skipped; empty if it was tried or does not fit."""
    method = enrollment.unlearning.method
    if attempt.rung != "retrain" or is_exact(method):
        return ""
    if why_over_budget(enrollment.budget, enrollment.deletions, attempt.forget_count):
        return ""
    events = journal.read(store, batches.stream(attempt.batch))
    plans = [e.facts for e in events if e.name == "UnlearningPlanned"]
    same = ("model", "parent_digest", "forget_digest", "config_digest")
    tried = {
        p.get("rung", "update")
        for p in plans
        if all(p[name] == getattr(attempt, name) for name in same)
    }
    return "" if "update" in tried else method


def _may_be_mended(store: ObjectStore, attempt: Attempt) -> bool:
    """Whether it is the rows that failed, and nobody was told: a sound model gets one more run."""
    events = journal.read(store, batches.stream(attempt.batch))
    failed = [e.facts for e in events if e.name == "CandidateFailed"]
    is_of_rows = any(f["attempt"] == attempt.key and f.get("is_of_rows") for f in failed)
    return is_of_rows and not any(e.id == f"{attempt.key}/blocked" for e in events)


def may_retrain(store: ObjectStore, attempt: Attempt) -> bool:
    """Whether a retrain is still ahead of an update, and can be made in time."""
    if is_exact(attempt.method) or attempt.rung not in ("update", "stronger"):
        return False
    enrollment = read_enrollment(store, attempt.model)
    forecast = retrain_forecast(store, enrollment, attempt.forget_count)
    return not _obstacle(store, attempt, forecast, batches.days_left(store, attempt.batch))


def _obstacle(
    store: ObjectStore, attempt: Attempt, forecast: Forecast | None, days_left: int
) -> str:
    """Why no retrain can be made, or not in time; empty if it can."""
    return _retrain_obstacle(store, attempt) or why_too_late(forecast, days_left)


def _retrain_obstacle(store: ObjectStore, attempt: Attempt) -> str:
    try:
        _, parent, _ = inputs(store, attempt)
    except (ModelError, UnfitRowsError) as error:  # they cannot even be loaded
        return str(error)
    return retrain_obstacle(parent)


def withdraw(store: ObjectStore, attempt: Attempt, reason: str) -> None:
    """Take the serving alias from the parent, once: nobody serves what still remembers."""

    def find(plan: dict[str, Any]) -> dict[str, Any] | None:
        champion = mlflow_registry.alias_version(attempt.model)
        if champion == attempt.parent_version:
            return None
        if champion is not None:
            raise ConflictError(
                f"The alias of {attempt.model} was moved to version {champion} meanwhile; enrol "
                "that version, then run again."
            )
        return {**plan_facts(plan), "version": attempt.parent_version, "reason": reason}

    def make(_: dict[str, Any]) -> None:
        late_holds.refuse_held(store, attempt.batch)
        mlflow_registry.drop_alias(attempt.model)

    once_in(store, attempt, "withdrawn", "ModelWithdrawn", find=find, make=make)
    if mlflow_registry.alias_version(attempt.model) == attempt.parent_version:
        mlflow_registry.drop_alias(attempt.model)  # set again since: these weights still remember
    _tell(store, attempt.model, attempt.key, attempt.batch)
    log.error(
        "ALARM: %s version %d no longer holds the serving alias. %s Train it anew without the "
        "erased subjects and enrol that version.",
        attempt.model,
        attempt.parent_version,
        reason,
    )


def settle_withdrawals(store: ObjectStore) -> None:
    """Finish withdrawals that were interrupted between the alias and the model's own stream.

    An alias that is missing for another reason is for people to set again: whatever a withdrawal
    intended once, it is about an open batch and the weights that are enrolled.
    """
    for batch, head in journal.heads(store, "batches"):
        events = journal.read(store, batches.stream(batch)) if head.status != "closed" else []
        planned = {e.facts["key"]: e.facts for e in events if e.name == "UnlearningPlanned"}
        for event in events:
            if not event.id.endswith("/withdrawn/intent"):
                continue
            model, attempt = event.facts["model"], event.facts["attempt"]
            told = journal.find(store, stream(model), f"{attempt}/withdrawn")
            if told is None and _is_latest(events, attempt) and _is_begun(store, planned[attempt]):
                lease.check(store)
                journal.append(store, _outcome(batch, event.facts, planned[attempt], events))
                _tell(store, model, attempt, batch)


def _outcome(
    batch: str, intent: dict[str, Any], plan: dict[str, Any], events: list[journal.Event]
) -> journal.Entry:
    """What the interrupted run would have recorded: certificates state it."""
    key = intent["attempt"]
    chosen = next(e.facts for e in events if e.id == f"{key}/next/withdraw")
    facts = plan_facts(intent) | {"version": plan["parent_version"], "reason": chosen["reason"]}
    return journal.Entry(batches.stream(batch), f"{key}/withdrawn", "ModelWithdrawn", facts)


def _is_latest(events: list[journal.Event], attempt: str) -> bool:
    """Whether no other plan for the model, and no hold, came after the attempt."""
    plans = [e for e in events if e.name == "UnlearningPlanned"]
    model = next(e.facts["model"] for e in plans if e.facts["key"] == attempt)
    last = [e for e in plans if e.facts["model"] == model][-1]
    withheld = [e.number for e in events if e.name == "RequestsWithheld"]
    return last.facts["key"] == attempt and max(withheld, default=0) < last.number


def _is_begun(store: ObjectStore, plan: dict[str, Any]) -> bool:
    """Whether nobody holds the alias, and the plan's parent is what was served before."""
    enrolled = read_enrollment(store, plan["model"])
    parent = (plan["parent_version"], plan["parent_digest"])
    is_parent = (enrolled.version, enrolled.digest) == parent
    # A model that MLflow knows nothing of may be served elsewhere.
    is_known = mlflow_registry.is_registered(plan["model"])
    return is_parent and is_known and mlflow_registry.alias_version(plan["model"]) is None


def _tell(store: ObjectStore, model: str, attempt: str, batch: str) -> None:
    facts = {"attempt": attempt, "batch": batch}
    journal.append(
        store, journal.Entry(stream(model), f"{attempt}/withdrawn", "ModelWithdrawn", facts)
    )

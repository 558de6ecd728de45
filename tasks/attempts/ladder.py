"""What follows a candidate that did not pass: the next rung, or a model out of service."""

import logging
from dataclasses import replace
from typing import Any

from tasks.attempts.attempt import entry, once_in, plan_facts
from tasks.attempts.inputs import inputs
from tasks.enrolling.timed_trainings import retrain_forecast
from tasks.intake import batches
from tasks.journal import journal
from tasks.journal.events.attempt import Attempt
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.enrollment import Enrollment
from tasks.journal.reading import read_enrollment
from tasks.registry.services import Services
from tasks.store import lease
from tasks.subjects import late_holds
from unlearning.errors import ConflictError, ModelError, UnfitRowsError
from unlearning.gate.gate import GateDecision
from unlearning.methods.retrain import retrain_obstacle
from unlearning.policy.budget import is_exact, why_over_budget
from unlearning.policy.deadlines import Forecast, why_too_late
from unlearning.policy.ladder import NextRung, next_rung

log = logging.getLogger("expunge.ladder")


def choose_rung(services: Services, attempt: Attempt, decision: GateDecision) -> NextRung:
    """The next step after a candidate that did not pass, recorded for the audit trail."""
    enrollment = read_enrollment(services.journal, attempt.model)
    days = batches.days_left(services, attempt.batch)
    forecast = retrain_forecast(services, enrollment, attempt.forget_count)
    obstacle = _obstacle(services, attempt, forecast, days)
    step = next_rung(
        attempt.rung,
        attempt.method,
        decision,
        enrollment.policy,
        days_left=days,
        obstacle=obstacle,
        untried=_untried(services, attempt, enrollment),
    )
    if step.rung == "withdraw" and _may_be_mended(services, attempt):
        reason = f"{step.reason} Unless the table is mended, the next run withdraws the model."
        step = replace(step, rung="wait", reason=reason)
    if step.rung == "update":
        step = replace(step, reason=f"{attempt.reason} {step.reason}")
    facts: dict[str, Any] = {"model": attempt.model, "rung": step.rung, "reason": step.reason}
    facts |= {"obstacle": obstacle} if obstacle else {}
    facts["retrain_seconds"] = None if forecast is None else forecast.expected
    # Days pass, so that a later run may choose otherwise; each choice is recorded once.
    services.journal.append(entry(attempt, f"next/{step.rung}", "RungChosen", facts))
    return step


def _untried(services: Services, attempt: Attempt, enrollment: Enrollment) -> str:
    """Method of the update that a why_suspicious skipped; empty if it was tried or does not fit."""
    method = enrollment.unlearning.method
    if attempt.rung != "retrain" or is_exact(method):
        return ""
    if why_over_budget(enrollment.budget, enrollment.deletions, attempt.forget_count):
        return ""
    events = services.journal.read(batches.stream(attempt.batch))
    plans = [e.facts for e in events if e.name == "UnlearningPlanned"]
    same = ("model", "parent_digest", "forget_digest", "config_digest")
    tried = {
        p.get("rung", "update")
        for p in plans
        if all(p[name] == getattr(attempt, name) for name in same)
    }
    return "" if "update" in tried else method


def _may_be_mended(services: Services, attempt: Attempt) -> bool:
    """Whether it is the rows that failed, and nobody was told: a sound model gets one more run."""
    events = services.journal.read(batches.stream(attempt.batch))
    failed = [e.facts for e in events if e.name == "CandidateFailed"]
    is_of_rows = any(f["attempt"] == attempt.key and f.get("is_of_rows") for f in failed)
    return is_of_rows and not any(e.id == f"{attempt.key}/blocked" for e in events)


def may_retrain(services: Services, attempt: Attempt) -> bool:
    """Whether a retrain is still ahead of an update, and can be made in time."""
    if is_exact(attempt.method) or attempt.rung not in ("update", "stronger"):
        return False
    enrollment = read_enrollment(services.journal, attempt.model)
    forecast = retrain_forecast(services, enrollment, attempt.forget_count)
    return not _obstacle(services, attempt, forecast, batches.days_left(services, attempt.batch))


def _obstacle(
    services: Services, attempt: Attempt, forecast: Forecast | None, days_left: int
) -> str:
    """Why no retrain can be made, or not in time; empty if it can."""
    return _retrain_obstacle(services, attempt) or why_too_late(forecast, days_left)


def _retrain_obstacle(services: Services, attempt: Attempt) -> str:
    try:
        _, parent, _ = inputs(services, attempt)
    except (ModelError, UnfitRowsError) as error:  # they cannot even be loaded
        return str(error)
    return retrain_obstacle(parent)


def withdraw(services: Services, attempt: Attempt, reason: str) -> None:
    """Take the serving alias from the parent, once: nobody serves what still remembers."""

    def find(plan: dict[str, Any]) -> dict[str, Any] | None:
        champion = services.registry.alias_version(attempt.model)
        if champion == attempt.parent_version:
            return None
        if champion is not None:
            raise ConflictError(
                f"The alias of {attempt.model} was moved to version {champion} meanwhile; enrol "
                "that version, then run again."
            )
        return {**plan_facts(plan), "version": attempt.parent_version, "reason": reason}

    def make(_: dict[str, Any]) -> None:
        late_holds.refuse_held(services, attempt.batch)
        services.registry.drop_alias(attempt.model)

    once_in(services, attempt, "withdrawn", "ModelWithdrawn", find=find, make=make)
    if services.registry.alias_version(attempt.model) == attempt.parent_version:
        services.registry.drop_alias(attempt.model)  # set again since: these weights still remember
    _tell(services, attempt.model, attempt.key, attempt.batch)
    log.error(
        "ALARM: %s version %d no longer holds the serving alias. %s Train it anew without the "
        "erased subjects and enrol that version.",
        attempt.model,
        attempt.parent_version,
        reason,
    )


def settle_withdrawals(services: Services) -> None:
    """Finish withdrawals that were interrupted between the alias and the model's own stream.

    An alias that is missing for another reason is for people to set again: whatever a withdrawal
    intended once, it is about an open batch and the weights that are enrolled.
    """
    for batch, head in services.journal.heads("batches"):
        events = services.journal.read(batches.stream(batch)) if head.status != "closed" else []
        planned = {e.facts["key"]: e.facts for e in events if e.name == "UnlearningPlanned"}
        for event in events:
            if not event.id.endswith("/withdrawn/intent"):
                continue
            model, attempt = event.facts["model"], event.facts["attempt"]
            told = services.journal.find(model_stream(model), f"{attempt}/withdrawn")
            if (
                told is None
                and _is_latest(events, attempt)
                and _is_begun(services, planned[attempt])
            ):
                lease.check(services.store)
                services.journal.append(_outcome(batch, event.facts, planned[attempt], events))
                _tell(services, model, attempt, batch)


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


def _is_begun(services: Services, plan: dict[str, Any]) -> bool:
    """Whether nobody holds the alias, and the plan's parent is what was served before."""
    enrolled = read_enrollment(services.journal, plan["model"])
    parent = (plan["parent_version"], plan["parent_digest"])
    is_parent = (enrolled.version, enrolled.digest) == parent
    # A model that MLflow knows nothing of may be served elsewhere.
    is_known = services.registry.is_registered(plan["model"])
    return is_parent and is_known and services.registry.alias_version(plan["model"]) is None


def _tell(services: Services, model: str, attempt: str, batch: str) -> None:
    facts = {"attempt": attempt, "batch": batch}
    services.journal.append(
        journal.Entry(model_stream(model), f"{attempt}/withdrawn", "ModelWithdrawn", facts)
    )

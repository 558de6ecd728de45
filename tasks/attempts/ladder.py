"""What follows a candidate that did not pass: the next rung, or an end."""

from dataclasses import replace

from tasks.attempts.inputs import inputs, lost_rows
from tasks.attempts.last_resort import told_what_follows
from tasks.enrolling.timed_trainings import retrain_forecast
from tasks.intake import batches
from tasks.journal.events.attempt import Attempt
from tasks.journal.events.attempts import RungChosen
from tasks.journal.events.catalog import batch_stream
from tasks.journal.events.enrollment import Enrollment
from tasks.journal.histories.batch import BatchHistory
from tasks.journal.reading import read_batch, read_enrollment
from tasks.registry.services import Services
from unlearning.errors import ExpungeError, ModelError, UnfitRowsError
from unlearning.gate.gate import GateDecision
from unlearning.methods.retrain import retrain_obstacle
from unlearning.policy.budget import is_exact, why_over_budget
from unlearning.policy.deadlines import Forecast, why_too_late
from unlearning.policy.ladder import NextRung, next_rung


def choose_rung(services: Services, attempt: Attempt, decision: GateDecision) -> NextRung:
    """The next rung after a candidate that did not pass, recorded for the audit trail."""
    enrollment = read_enrollment(services.journal, attempt.model)
    days = batches.days_left(services, attempt.batch)
    forecast = retrain_forecast(services, enrollment, attempt.forget_count)
    obstacle = _obstacle(services, attempt, forecast, days)
    chosen = next_rung(
        attempt.rung,
        attempt.method,
        decision,
        enrollment.policy,
        days_left=days,
        obstacle=obstacle,
        untried=_untried(services, attempt, enrollment),
    )
    if chosen.rung == "withdraw" and _may_be_mended(services, attempt):
        reason = f"{chosen.reason} Unless the table is mended, the next run withdraws the model."
        chosen = replace(chosen, rung="wait", reason=reason)
    if chosen.rung == "wait":
        follows = told_what_follows(services, attempt.batch, enrollment.policy)
        chosen = replace(chosen, reason=f"{chosen.reason} {follows}".rstrip())
    if chosen.rung == "update":
        chosen = replace(chosen, reason=f"{attempt.reason} {chosen.reason}")
    facts = RungChosen(
        model=attempt.model,
        attempt=attempt.key,
        rung=chosen.rung,
        reason=chosen.reason,
        obstacle=obstacle,
        retrain_seconds=None if forecast is None else forecast.expected,
    )
    # Days pass, so that a later run may choose otherwise; each choice is recorded once.
    stream = batch_stream(attempt.batch)
    services.journal.append(stream, attempt.ids.chosen(chosen.rung), facts)
    return chosen


def _untried(services: Services, attempt: Attempt, enrollment: Enrollment) -> str:
    """Method of the update that a suspicion skipped; empty if it was tried or does not fit."""
    method = enrollment.unlearning.method
    if attempt.rung != "retrain" or is_exact(method) or _is_lost(services, attempt, enrollment):
        return ""
    if why_over_budget(enrollment.budget, enrollment.deletions, attempt.forget_count):
        return ""
    others = [one.attempt for one in _history(services, attempt).attempts.values()]
    tried = {
        other.rung
        for other in others
        if other.forgets_as(attempt) and other.config_digest == attempt.config_digest
    }
    return "" if "update" in tried else method


def _is_lost(services: Services, attempt: Attempt, enrollment: Enrollment) -> bool:
    """Whether an update could not forget all that it must, for the rows cannot be read."""
    return bool(lost_rows(services, attempt.batch, enrollment))


def _may_be_mended(services: Services, attempt: Attempt) -> bool:
    """Whether it is the rows that failed, and nobody was told: a sound model gets one more run."""
    mine = _history(services, attempt).attempts[attempt.key]
    return any(one.is_of_rows for one in mine.failures) and mine.blocked is None


def _history(services: Services, attempt: Attempt) -> BatchHistory:
    return read_batch(services.journal, attempt.batch)


def may_retrain(services: Services, attempt: Attempt) -> bool:
    """Whether a retrain is still ahead of an update, and can be made in time."""
    if is_exact(attempt.method) or attempt.rung not in ("update", "stronger"):
        return False
    enrollment = read_enrollment(services.journal, attempt.model)
    forecast = retrain_forecast(services, enrollment, attempt.forget_count)
    return not _obstacle(services, attempt, forecast, batches.days_left(services, attempt.batch))


def known_obstacle(services: Services, attempt: Attempt) -> str:
    """Why its model cannot be retrained here; empty if it can, or if that cannot be told now."""
    try:
        return _retrain_obstacle(services, attempt)
    except ExpungeError:  # a system is away, say: what was to be asked is asked all the same
        return ""


def _obstacle(
    services: Services, attempt: Attempt, forecast: Forecast | None, days_left: int
) -> str:
    """Why no retrain can be made, or not in time; empty if it can."""
    return _retrain_obstacle(services, attempt) or why_too_late(forecast, days_left)


def _retrain_obstacle(services: Services, attempt: Attempt) -> str:
    try:
        enrollment, parent, _ = inputs(services, attempt)
    except (ModelError, UnfitRowsError) as error:  # they cannot even be loaded
        return str(error)
    # The owner's recipe builds the model anew, in whatever form it is stored.
    return "" if enrollment.recipe else retrain_obstacle(parent)

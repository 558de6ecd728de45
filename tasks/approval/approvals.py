"""Batches that wait for a person: what is asked, what was answered, and whether it still holds.

A preflight is recorded as ApprovalRequested, an answer as BatchApproved or BatchRejected, in the
batch's own stream: whoever restarts finds the same question and the same answer.
"""

import logging
from collections.abc import Sequence
from typing import Literal

from tasks.approval.preflights import ask, why_ask
from tasks.approval.questions import OPEN, waiting
from tasks.approval.ready import send_ready
from tasks.attempts.planning import is_untouched, under_way
from tasks.intake import batches
from tasks.journal.events import ids
from tasks.journal.events.attempt import Attempt
from tasks.journal.events.batches import (
    BatchApproved,
    BatchRejected,
    QuestionRetracted,
    RequestsTold,
)
from tasks.journal.events.catalog import batch_stream
from tasks.journal.events.preflight import Preflight
from tasks.journal.events.requests import RequestBlocked, RequestUnblocked
from tasks.journal.histories.batch import BatchHistory
from tasks.journal.reading import enrolled_models, read_batch
from tasks.registry.services import Services
from tasks.subjects import late_holds
from tasks.subjects.matches import tell_requests_with_rows
from unlearning.errors import ConflictError, DataError, SettingsError
from unlearning.policy.deletion import ERASING

log = logging.getLogger("expunge.approvals")

Decision = Literal["approve", "reject"]


def seek_approval(services: Services, batch: str, plans: Sequence[Attempt]) -> bool:
    """Whether the planned attempts may be made; if not, people have been asked to approve them.

    Requests that need nobody's word go ahead first, in a batch of their own.

    An answer holds as long as nothing was added to the plans that it was given for. Who rejected a
    batch is not overruled by a change of the plans or of the limits: it waits until it is approved.
    Once rows are gone, only plans that were not carried out by then need an answer.
    """
    tell_requests(services, batch)
    plans = send_ready(services, batch, plans)
    history = read_batch(services.journal, batch)
    asked, plans = history.asked, _undecided(history, plans)
    is_rejected = history.status == "rejected" and bool(batches.accepted(services, batch))
    if not is_rejected and not any(why_ask(services, plan) for plan in plans):
        _retract_question(services, batch, history)
        return True
    is_asked = asked is not None and _covers(asked, plans)
    if asked is not None and is_asked and _is_approved(history, asked):
        return True
    if asked is None or not is_asked or history.status not in OPEN:
        asked = ask(services, batch, plans, number=asked.number + 1 if asked else 1)
    word = "was rejected" if is_rejected else "waits for approval"
    log.warning("Batch %s %s, due on %s. %s", batch, word, asked.due_on, " ".join(asked.reasons))
    return False


def decide(
    services: Services, batch: str, decision: Decision, *, name: str, reason: str = ""
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
    asked = _question(services, batch, decision)
    answered, event_id = (
        (BatchApproved, ids.approved) if decision == "approve" else (BatchRejected, ids.rejected)
    )
    answer = answered(name=name, reason=reason, preflight=asked.digest, number=asked.number)
    services.journal.append(batch_stream(batch), event_id(asked.number), answer)
    tell_requests(services, batch)
    return asked


def outdated(services: Services) -> list[str]:
    """Batches that wait and whose plan no longer holds, because others changed their models."""
    return [asked.batch for _, asked in waiting(services) if _is_outdated(services, asked)]


def tell_requests(services: Services, batch: str) -> None:
    """Carry the latest answer over to the batch's requests, once."""
    history = read_batch(services.journal, batch)
    answer = history.answer
    if answer is None or ids.requests_told(answer.id) in history.event_ids:
        return
    key, name, why = ids.in_request(batch, answer.id), answer.facts.name, answer.facts.reason
    if isinstance(answer.facts, BatchRejected):
        reason = f"{name} rejected batch {batch}: {why}"
        tell_requests_with_rows(services, batch, key, RequestBlocked, reason)
    elif history.was_stopped:
        reason = f"{name} approved batch {batch}" + (f": {why}" if why else "")
        tell_requests_with_rows(services, batch, key, RequestUnblocked, reason)
    services.journal.append(batch_stream(batch), ids.requests_told(answer.id), RequestsTold())


def _question(services: Services, batch: str, decision: Decision) -> Preflight:
    """The preflight that may be answered now."""
    history = read_batch(services.journal, batch)
    status, asked = history.status, history.asked
    if not status:
        raise DataError(f"There is no batch {batch!r}; `expunge status` lists those that wait.")
    if decision == "reject" and status in ERASING:
        raise ConflictError(
            f"Rows of batch {batch} are erased already, so it cannot be rejected; approve it, or "
            "enrol the model anew, trained without them."
        )
    if asked is None or status not in (OPEN if decision == "approve" else OPEN[:1]):
        raise ConflictError(
            f"Batch {batch} does not wait for approval, it is {_state(history)}; "
            "`expunge status` lists those that wait."
        )
    late_holds.refuse_held(services, batch)
    if _is_outdated(services, asked):
        raise ConflictError(
            f"The plan of batch {batch} changed since people were asked; `expunge run` asks anew, "
            "then decide."
        )
    return asked


def _state(history: BatchHistory) -> str:
    name, status = history.approver, history.status
    return f"{status} and approved by {name}" if name else status


def _is_outdated(services: Services, asked: Preflight) -> bool:
    now: list[Attempt] = []
    for enrollment in enrolled_models(services.journal):
        if enrollment.is_withdrawn or is_untouched(services, asked.batch, enrollment):
            continue
        attempt = under_way(services, asked.batch, enrollment)
        if attempt is None:
            return True
        now.append(attempt)
    return not _covers(asked, _undecided(read_batch(services.journal, asked.batch), now))


def _undecided(history: BatchHistory, plans: Sequence[Attempt]) -> list[Attempt]:
    """The plans that people can still stop: half an erasure helps nobody."""
    if history.status not in ERASING:
        return list(plans)
    promoted = {key for key, one in history.attempts.items() if one.promoted}
    return [plan for plan in plans if plan.key not in promoted]


def _is_approved(history: BatchHistory, asked: Preflight) -> bool:
    return any(
        isinstance(one, BatchApproved) and one.number == asked.number for one in history.answers
    )


def _covers(asked: Preflight, plans: Sequence[Attempt]) -> bool:
    """Whether people were asked about all of these; a model that was withdrawn is no new plan."""
    return {p.plan_digest for p in plans} <= {m.plan for m in asked.models}


def _retract_question(services: Services, batch: str, history: BatchHistory) -> None:
    """Take the question back, because the batch as it is now needs no answer."""
    asked = history.asked
    if asked is not None and history.status in OPEN:
        retracted = QuestionRetracted(preflight=asked.digest)
        services.journal.append(batch_stream(batch), ids.retracted(asked.number), retracted)

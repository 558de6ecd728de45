"""Batches that wait for a person: what is asked, what was answered, and whether it still holds.

A preflight is recorded as ApprovalRequested, an answer as BatchApproved or BatchRejected, in the
batch's own stream: whoever restarts finds the same question and the same answer.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Literal

from tasks.approval.preflights import ask, why_ask
from tasks.approval.questions import ANSWERS, OPEN, Preflight, approver, latest_preflight, waiting
from tasks.attempts.attempt import plan_digest
from tasks.attempts.planning import is_untouched, under_way
from tasks.intake import batches
from tasks.journal import journal
from tasks.journal.events.attempt import Attempt
from tasks.journal.reading import enrolled_models
from tasks.registry.services import Services
from tasks.subjects import late_holds
from tasks.subjects.resolution import tell_located
from unlearning.errors import ConflictError, DataError, SettingsError
from unlearning.policy.deletion import ERASING

log = logging.getLogger("expunge.approvals")

Decision = Literal["approve", "reject"]


def seek_approval(services: Services, batch: str, plans: Sequence[Attempt]) -> bool:
    """Whether the planned attempts may be made; if not, people have been asked to approve them.

    An answer holds as long as nothing was added to the plans that it was given for. Who rejected a
    batch is not overruled by a change of the plans or of the limits: it waits until it is approved.
    Once rows are gone, only plans that were not carried out by then need an answer.
    """
    settle(services, batch)
    events = services.journal.read(batches.stream(batch))
    status, asked = events[-1].status, latest_preflight(events)
    plans = _undecided(events, plans)
    is_rejected = status == "rejected" and bool(batches.accepted(services, batch))
    if not is_rejected and not any(why_ask(services, plan) for plan in plans):
        _withdraw_question(services, batch, asked, status)
        return True
    is_asked = asked is not None and _covers(asked, plans)
    if asked is not None and is_asked and _is_approved(events, asked):
        return True
    if asked is None or not is_asked or status not in OPEN:
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
    event, word = _WORDS[decision]
    facts = {"name": name, "reason": reason, "preflight": asked.digest, "number": asked.number}
    key = f"approval/{asked.number}/{word}"
    services.journal.append(journal.Entry(batches.stream(batch), key, event, facts))
    settle(services, batch)
    return asked


_WORDS: Mapping[Decision, tuple[str, str]] = {
    "approve": ("BatchApproved", "approved"),
    "reject": ("BatchRejected", "rejected"),
}


def outdated(services: Services) -> list[str]:
    """Batches that wait and whose plan no longer holds, because others changed their models."""
    return [asked.batch for _, asked in waiting(services) if _is_outdated(services, asked)]


def settle(services: Services, batch: str) -> None:
    """Carry the latest answer over to the batch's requests, once."""
    events = services.journal.read(batches.stream(batch))
    answer = next((e for e in reversed(events) if e.name in ANSWERS), None)
    if answer is None or any(e.id == f"{answer.id}/settled" for e in events):
        return
    name, why = answer.facts["name"], answer.facts["reason"]
    if answer.name == "BatchRejected":
        reason = f"{name} rejected batch {batch}: {why}"
        tell_located(services, batch, f"{batch}/{answer.id}", "RequestBlocked", reason)
    elif any(e.name in ("BatchRejected", "BatchBlocked") for e in events):
        reason = f"{name} approved batch {batch}" + (f": {why}" if why else "")
        tell_located(services, batch, f"{batch}/{answer.id}", "RequestUnblocked", reason)
    told = journal.Entry(batches.stream(batch), f"{answer.id}/settled", "RequestsSettled", {})
    services.journal.append(told)


def _question(services: Services, batch: str, decision: Decision) -> Preflight:
    """The preflight that may be answered now."""
    events = services.journal.read(batches.stream(batch))
    if not events:
        raise DataError(f"There is no batch {batch!r}; `expunge status` lists those that wait.")
    status, asked = events[-1].status, latest_preflight(events)
    if decision == "reject" and status in ERASING:
        raise ConflictError(
            f"Rows of batch {batch} are erased already, so it cannot be rejected; approve it, or "
            "enrol the model anew, trained without them."
        )
    if asked is None or status not in (OPEN if decision == "approve" else OPEN[:1]):
        raise ConflictError(
            f"Batch {batch} does not wait for approval, it is {_state(events)}; "
            "`expunge status` lists those that wait."
        )
    late_holds.refuse_held(services, batch)
    if _is_outdated(services, asked):
        raise ConflictError(
            f"The plan of batch {batch} changed since people were asked; `expunge run` asks anew, "
            "then decide."
        )
    return asked


def _state(events: Sequence[journal.Event]) -> str:
    name, status = approver(events), events[-1].status
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
    events = services.journal.read(batches.stream(asked.batch))
    return not _covers(asked, _undecided(events, now))


def _undecided(events: Sequence[journal.Event], plans: Sequence[Attempt]) -> list[Attempt]:
    """The plans that people can still stop: half an erasure helps nobody."""
    if events[-1].status not in ERASING:
        return list(plans)
    promoted = {e.facts["attempt"] for e in events if e.name == "ChampionPromoted"}
    return [plan for plan in plans if plan.key not in promoted]


def _is_approved(events: Sequence[journal.Event], asked: Preflight) -> bool:
    return any(e.name == "BatchApproved" and e.facts["number"] == asked.number for e in events)


def _covers(asked: Preflight, plans: Sequence[Attempt]) -> bool:
    """Whether people were asked about all of these; a model that was withdrawn is no new plan."""
    return {plan_digest(p) for p in plans} <= {m.plan for m in asked.models}


def _withdraw_question(
    services: Services, batch: str, asked: Preflight | None, status: str
) -> None:
    """Take the question back, because the batch as it is now needs no answer."""
    if asked is not None and status in OPEN:
        key = f"approval/{asked.number}/withdrawn"
        facts = {"preflight": asked.digest}
        services.journal.append(
            journal.Entry(batches.stream(batch), key, "ApprovalWithdrawn", facts)
        )

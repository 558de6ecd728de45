"""People are called about models that no rung makes forget: once a day, and ever more urgently."""

import logging
from collections.abc import Iterator
from datetime import date

from tasks.intake import batches
from tasks.journal import journal
from tasks.journal.events.attempt import Attempt
from tasks.journal.events.attempts import PeopleCalled
from tasks.journal.events.catalog import batch_stream
from tasks.journal.histories.attempt import AttemptHistory
from tasks.journal.histories.batch import BatchHistory
from tasks.journal.reading import enrolled_models, read_batch, read_enrollment
from tasks.registry.services import Services
from unlearning.config.gate_policy import GatePolicy
from unlearning.policy.deadlines import due_on, received_on
from unlearning.policy.last_resort import StillRemembered, alarm, what_follows

log = logging.getLogger("expunge.last_resort")


def told_what_follows(services: Services, batch: str, policy: GatePolicy) -> str:
    """What becomes of a model if no rung is enough for this batch, in one sentence."""
    days = _days(services, batch)
    return what_follows(policy, days[1]) if days else ""


def call_people(services: Services, attempt: Attempt) -> None:
    """Log an alarm about a blocked attempt and record it, from half of the time on, once a day.

    Another batch may have taken the requests over on the same day: who was told of this model and
    due date today is not told again.
    """
    one = read_batch(services.journal, attempt.batch).attempts[attempt.key]
    days = _days(services, attempt.batch)
    if days is None or one.blocked is None:
        return
    today, policy = journal.now().date(), read_enrollment(services.journal, attempt.model).policy
    said = alarm(policy, _remembered(one, days), today)
    if not said or _was_called(services, attempt.model, days[1], today):
        return
    log.error("ALARM: %s", said)
    called = PeopleCalled(
        model=attempt.model, attempt=attempt.key, day=today, due_on=days[1], said=said
    )
    services.journal.append(batch_stream(attempt.batch), attempt.ids.called(today), called)


def still_remembering(services: Services) -> Iterator[str]:
    """The alarms of today about every model that blocks an open batch, the most urgent first."""
    found: list[tuple[date, str]] = []
    policies = {e.model: e.policy for e in enrolled_models(services.journal) if not e.is_withdrawn}
    today = journal.now().date()
    for batch, _ in services.journal.open_batches():
        blocking = _blocking(read_batch(services.journal, batch))
        days = _days(services, batch) if blocking else None
        for one in blocking if days else []:
            policy = policies.get(one.attempt.model)
            if policy is not None and days is not None:
                found.append((days[1], alarm(policy, _remembered(one, days), today)))
    yield from (said for _, said in sorted(found) if said)


def _blocking(history: BatchHistory) -> list[AttemptHistory]:
    """The latest attempts that keep a batch open."""
    return [
        one
        for one in history.plans.values()
        if one.blocked is not None and one.promoted is None and one.withdrawn is None
    ]


def _remembered(one: AttemptHistory, days: tuple[date, date]) -> StillRemembered:
    reasons = [said.reason for said in one.chosen if said.rung == "wait"]
    blocked = one.blocked.reason if one.blocked else ""
    return StillRemembered(
        model=one.attempt.model,
        version=one.attempt.parent_version,
        rows=one.attempt.forget_count,
        reason=reasons[-1] if reasons else blocked,
        received=days[0],
        due=days[1],
    )


def _days(services: Services, batch: str) -> tuple[date, date] | None:
    """When the request came that is due first, and when that is; None if all were taken out."""
    came = [d.received_at for d in batches.accepted(services, batch)]
    if not came:
        return None
    first = min(came, key=lambda at: (due_on(at), received_on(at)))
    return received_on(first), due_on(first)


def _was_called(services: Services, model: str, due: date, today: date) -> bool:
    """Whether people were called about this model and due date today, for whatever batch."""
    heads = services.journal.batches()
    recent = [name for name, head in heads if head.at[:10] >= today.isoformat()]
    called = [
        (one.attempt.model, said.due_on, said.day)
        for name in recent
        for one in read_batch(services.journal, name).attempts.values()
        for said in one.called
    ]
    return (model, due, today) in called

"""Requests that go ahead of their batch, in one of their own, since nothing holds them up.

A batch waits as a whole: for a person, or for a model. Whoever that does not concern is written
down as gone from it, and then frozen into a batch like any other. Every effect stays the effect of
one batch, so a run may be killed anywhere.
"""

import logging
from collections.abc import Collection

from tasks.intake import batches, freezing
from tasks.journal.events import ids
from tasks.journal.events.catalog import batch_stream
from tasks.journal.events.withheld import RequestsSentAhead
from tasks.journal.reading import read_batch
from tasks.registry.services import Services
from tasks.store import lease

log = logging.getLogger("expunge.sent-ahead")

_SPLIT = ("validated", "blocked", "waiting")
"""Statuses of a batch that may be parted: no row of it is gone, and nobody said no to it."""


def send(
    services: Services, batch: str, records: Collection[str], models: Collection[str] = ()
) -> str:
    """Let these records of the batch go ahead; returns the name of their batch.

    Empty if none of them is in it, or all are: then nothing changes.

    Args:
        services: Store and journal.
        batch: Waits for something that does not concern the records.
        records: Those that go ahead.
        models: Whose plans in the batch still count them.

    Raises:
        ConflictError: another run took over.
    """
    finish(services, batch)
    history = read_batch(services.journal, batch)
    mine = {d.record_id for d in batches.accepted(services, batch)}
    going = mine & set(records)
    if not going or going == mine or history.status not in _SPLIT or history.is_suppressed:
        return ""
    # A run that was replaced knows nothing of what the other one does with them.
    lease.check(services.store)
    as_of = {r: event.number for r, event in services.journal.latest(going).items()}
    to = freezing.name_of(services, [], as_of)
    facts = RequestsSentAhead(to=to, as_of=as_of, models=tuple(sorted(models)))
    event_id = ids.sent_ahead(history.event_count + 1)
    services.journal.append(batch_stream(batch), event_id, facts)
    finish(services, batch)
    log.info("Batch %s: %d requests go ahead in batch %s", batch, len(going), to)
    return to


def finish(services: Services, batch: str) -> None:
    """Freeze whoever was sent ahead, also where an earlier run stopped before that."""
    for facts in read_batch(services.journal, batch).ahead.values():
        if not services.journal.read(batch_stream(facts.to)):
            freezing.freeze(services, facts.to, [], facts.as_of)

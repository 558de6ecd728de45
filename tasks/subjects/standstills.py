"""Batches that runs cannot take further, on record: nobody need read a log to learn of them."""

import logging

from tasks.journal.events import ids
from tasks.journal.events.attempts import MemoryRanOut
from tasks.journal.events.catalog import batch_stream
from tasks.journal.events.halts import BatchStoodStill, StandstillEnded
from tasks.registry.services import Services
from tasks.store import lease
from unlearning.errors import ExpungeError

log = logging.getLogger("expunge.standstills")


def note_standstill(services: Services, batch: str, reason: str) -> None:
    """Record why a run could not take the batch further, unless that is its last event already.

    A run that lost its lease, or its store, records nothing: another one is at work, or nothing can
    be recorded.
    """
    try:
        lease.check(services.store)
        events = services.journal.read(batch_stream(batch))
        told = events[-1].facts if events else None
        is_known = isinstance(told, BatchStoodStill) and told.reason == reason
        is_closed = bool(events) and events[-1].status == "closed"
        if not (is_known or is_closed or isinstance(told, MemoryRanOut)):
            _append(services, batch, BatchStoodStill(reason=reason))
    except ExpungeError as error:
        log.warning("That batch %s stands still could not be recorded. %s", batch, error)


def note_progress(services: Services, batch: str) -> None:
    """Record that a run got through the batch, if nothing has happened to it since it stood."""
    events = services.journal.read(batch_stream(batch))
    if events and isinstance(events[-1].facts, BatchStoodStill):
        _append(services, batch, StandstillEnded())


def _append(services: Services, batch: str, facts: BatchStoodStill | StandstillEnded) -> None:
    number = len(services.journal.read(batch_stream(batch))) + 1
    services.journal.append(batch_stream(batch), ids.halted(number), facts)


def reason_of(error: Exception) -> str:
    """Why an error stopped a batch, as the journal may say it: with no one's id in it."""
    if isinstance(error, ExpungeError):
        return str(error)
    kind = type(error).__name__
    return f"An error that nobody foresaw ({kind}) stopped it; look at the log of the run."

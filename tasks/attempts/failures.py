"""Parts of an attempt that may lead nowhere: their failure is a fact for the ladder, not an end."""

import logging
from collections.abc import Callable

from tasks.environment.memory import memory_errors
from tasks.journal.events.attempt import Attempt
from tasks.journal.events.attempts import CandidateFailed, MemoryRanOut
from tasks.journal.events.catalog import batch_stream
from tasks.registry.services import Services
from unlearning.errors import (
    EvidenceError,
    ModelError,
    OutOfMemoryError,
    StaleLedgerError,
    UnfitRowsError,
)

log = logging.getLogger("expunge.failures")


def failure_of(
    services: Services,
    attempt: Attempt,
    part: Callable[[Services, Attempt], object],
    *,
    may_climb: Callable[[], bool] = lambda: False,
) -> str:
    """Why this part of the attempt cannot be done, in one sentence; empty once it is done.

    A model that cannot be unlearned or measured in one way, or with these rows, must not keep its
    requests open for ever, so the reason is recorded and the next rung is for the ladder to choose.
    It is not the end of the attempt: a later run tries again, since somebody may have mended the
    cause. So is memory that ran out, if another rung that takes less `may_climb`; else it is what
    the batch waits for.

    Raises:
        ExpungeError: what another rung could not mend either, such as a table that is away, a
            machine without the memory or the code, or what running again mends.
    """
    try:
        with memory_errors():
            part(services, attempt)
    except StaleLedgerError:
        raise
    except OutOfMemoryError as error:
        if may_climb():
            return _failed(services, attempt, str(error))
        event_id = attempt.ids.out_of_memory(getattr(part, "__name__", "part"))
        facts = MemoryRanOut(model=attempt.model, attempt=attempt.key, reason=str(error))
        services.journal.append(batch_stream(attempt.batch), event_id, facts)
        log.error("ALARM: Batch %s stands still for %s. %s", attempt.batch, attempt.model, error)  # noqa: TRY400
        raise
    except (ModelError, EvidenceError, UnfitRowsError) as error:
        return _failed(services, attempt, str(error), is_of_rows=isinstance(error, UnfitRowsError))
    return ""


def if_possible(what: str, work: Callable[[], object]) -> None:
    """Do what a later run does as well: whatever hinders it holds up no erasure."""
    try:
        work()
    except Exception as error:  # noqa: BLE001 - flows.retire_versions raises it, whatever it is
        log.warning("Not done yet: %s. %s", what, error)


def _failed(services: Services, attempt: Attempt, reason: str, *, is_of_rows: bool = False) -> str:
    log.warning("%s: the %s led nowhere. %s", attempt.model, attempt.rung, reason)
    facts = CandidateFailed(
        model=attempt.model, attempt=attempt.key, reason=reason, is_of_rows=is_of_rows
    )
    services.journal.append(batch_stream(attempt.batch), attempt.ids.failed(reason), facts)
    return reason

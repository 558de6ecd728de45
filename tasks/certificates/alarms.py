"""What people must look at, read from the journal: a run need not be repeated to see it."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from tasks.attempts.last_resort import still_remembering
from tasks.certificates.status import requests
from tasks.journal import journal
from tasks.journal.events.attempts import MemoryRanOut
from tasks.journal.events.halts import BatchStoodStill
from tasks.journal.events.requests import HoldTooLate
from tasks.journal.reading import closed_tables, enrolled_models, read_batch, read_model
from tasks.registry.services import Services
from tasks.subjects.list_check import why_incomplete
from tasks.subjects.overlooked import why_overlooked
from tasks.subjects.returned import why_waiting
from tasks.subjects.snapshots import why_lost
from tasks.subjects.tied_tables import why_unsearched
from unlearning.policy.counted import counted

_LOOKED_BACK = timedelta(days=30)
"""For so long a closed batch is asked for tables that were no more."""


def alarms(services: Services) -> list[str]:
    """Everything that is wrong and on record, the most urgent first, one sentence or two each."""
    return [
        *why_incomplete(services),
        *_overdue(services, journal.now().date()),
        *still_remembering(services),
        *_late_holds(services),
        *_out_of_service(services),
        *_tables_gone(services),
        *why_unsearched(services),
        *why_overlooked(services),
        *why_lost(services),
        *why_waiting(services),
        *standstills(services),
    ]


def standstills(services: Services) -> list[str]:
    """Batches that the last run could not take further, one sentence or two each."""
    found = []
    for name, event in services.journal.open_batches():
        if isinstance(event.facts, MemoryRanOut):
            found.append(f"Batch {name} stands still for {event.facts.model}. {event.facts.reason}")
        elif isinstance(event.facts, BatchStoodStill):
            found.append(f"Batch {name} stands still since {event.at[:10]}. {event.facts.reason}")
    return found


def _overdue(services: Services, today: date) -> Iterator[str]:
    days = sorted(r.due_on for r in requests(services) if r.is_overdue(today))
    if days:
        are = "is" if len(days) == 1 else "are"
        yield f"{counted(len(days), 'request')} {are} overdue, the first since {days[0]}."


def _late_holds(services: Services) -> Iterator[str]:
    for _, event in services.journal.open_requests():
        if isinstance(event.facts, HoldTooLate):
            yield (
                f"A legal hold came too late for {event.facts.request_id}: no table held a row of "
                "its subject any more."
            )


def _out_of_service(services: Services) -> Iterator[str]:
    for one in enrolled_models(services.journal):
        history = read_model(services.journal, one.model)
        if not one.is_withdrawn or history.taken_out:
            continue
        by = history.withdrawn_by
        why = f"was withdrawn by batch {by}" if by else "lost its alias"
        yield (
            f"{one.model} {why}: nobody is served by it, and version {one.version} may still "
            "remember erased people; enrol a version that was trained without them."
        )


def _tables_gone(services: Services) -> Iterator[str]:
    since, closed = journal.now() - _LOOKED_BACK, closed_tables(services.journal)
    for batch, head in services.journal.batches():
        if head.status == "closed" and datetime.fromisoformat(head.at) < since:
            continue
        for uri, table in read_batch(services.journal, batch).tables.items():
            if table.is_gone:
                found, sought = (
                    ("closed", "who erases them there")
                    if uri in closed
                    else ("no more", "where its files went")
                )
                yield (
                    f"The table {uri} was {found} when batch {batch} was to erase rows in it; find "
                    f"out {sought}."
                )

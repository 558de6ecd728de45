"""Legal holds that come while a batch is at work: whom they protect, and whom they are late for."""

import logging

from tasks.intake import batches, legal_holds
from tasks.journal.events import ids
from tasks.journal.events.catalog import batch_stream, request_stream
from tasks.journal.events.requests import HoldTooLate, RequestHeld, told_because
from tasks.journal.events.withheld import RequestsWithheld
from tasks.journal.journal import Entry
from tasks.journal.reading import read_batch
from tasks.registry.services import Services
from tasks.store import lease
from tasks.subjects.matches import subject_tables
from tasks.tables.delta import count_by_subject, open_table
from unlearning.errors import ConflictError
from unlearning.policy.counted import counted
from unlearning.policy.deletion import TERMINAL, Disposition

log = logging.getLogger("expunge.late-holds")

_TOO_LATE = "a legal hold was placed when no table held a row of the subject any more"
_IN_TIME = "a legal hold was placed"


def withhold(services: Services, batch: str) -> int:
    """Take requests out of the batch whose subject came under a hold since; returns how many.

    A hold that is placed while a batch waits or runs protects the rows as long as a table holds
    them. The commit that deletes them is the point of no return, although their files are there
    until the vacuum: to undo it, held rows would have to be written anew, among those that others
    have written since. Such a request ends as erased, and the hold is reported.
    """
    protected, late = _under_hold(services, batch)
    if protected:
        # A run that was replaced knows nothing of what is erased by now.
        lease.check(services.store)
        facts = RequestsWithheld(records=tuple(sorted(d.record_id for d in protected)))
        number = read_batch(services.journal, batch).event_count + 1
        services.journal.append(batch_stream(batch), ids.withheld(number), facts)
    tell_withheld(services, batch)
    _report_late(services, batch, late)
    return len(protected)


def _under_hold(services: Services, batch: str) -> tuple[list[Disposition], list[Disposition]]:
    """The batch's requests under a hold: those whose rows it protects, and those it is late for."""
    held = legal_holds.register(services)
    accepted = batches.accepted(services, batch)
    named = still_open(services, [d for d in accepted if held.protects(d)])
    if not (named and read_batch(services.journal, batch).is_suppressed):
        return named, []  # nothing was deleted yet
    there: set[str] = set()
    for uri, column in subject_tables(services, batch).items():
        mine = {d.record_id for d in named if d.record_id not in there}
        wanted = batches.subjects_by_record(services, batch, column.kind, mine)
        table = open_table(services.settings, uri)
        found = count_by_subject(table, column.name, set(wanted.values()))
        there |= {record for record, subject in wanted.items() if subject in found}
    protected = [d for d in named if d.record_id in there]
    return protected, [d for d in named if d.record_id not in there]


def still_open(services: Services, requests: list[Disposition]) -> list[Disposition]:
    """Those of the requests that are not answered yet; what is answered nobody can take back."""
    heads = services.journal.latest(d.record_id for d in requests)
    answered = {name for name, event in heads.items() if event.status in TERMINAL}
    return [d for d in requests if d.record_id not in answered]


def _report_late(services: Services, batch: str, late: list[Disposition]) -> None:
    if not late:
        return
    log.error(
        "ALARM: A legal hold was placed on %s of batch %s when no table held a row of them any "
        "more; tell who asked for it.",
        counted(len(late), "subject"),
        batch,
    )
    services.journal.append_all(
        Entry(
            request_stream(d.record_id),
            ids.hold_too_late(batch),
            HoldTooLate(disposition=told_because(d, _TOO_LATE), batch=batch),
        )
        for d in late
    )


def tell_withheld(services: Services, batch: str) -> None:
    """Tell every withheld request that is open, also where an earlier run stopped before that."""
    history = read_batch(services.journal, batch)
    named = history.withheld_records
    mine = [d for d in batches.dispositions(services, batch) if d.record_id in named]
    services.journal.append_all(
        Entry(
            request_stream(d.record_id),
            ids.in_request(batch, event_id),
            RequestHeld(
                disposition=told_because(d, history.why_withheld.get(event_id, _IN_TIME)),
                batch=batch,
            ),
        )
        for d in still_open(services, mine)
        for _, event_id, records in history.withheld
        if d.record_id in records
        and d.record_id not in history.near
        and event_id not in history.ahead
    )


def refuse_held(services: Services, batch: str) -> None:
    """Stop before an effect that cannot be undone if a hold now protects rows of the batch.

    Raises:
        ConflictError: at least one is held; the next run takes those requests out.
    """
    protected, _ = _under_hold(services, batch)
    if protected:
        raise ConflictError(
            f"A legal hold was placed on {counted(len(protected), 'subject')} of batch {batch} "
            "meanwhile; run again to go on without them."
        )

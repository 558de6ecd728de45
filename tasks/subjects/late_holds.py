"""Legal holds that come while a batch is at work: whom they protect, and whom they are late for."""

import logging
from dataclasses import asdict
from typing import Any

from tasks.intake import batches
from tasks.journal import journal
from tasks.registry.services import Services
from tasks.store import lease
from tasks.subjects.resolution import subject_tables
from tasks.tables.delta import count_by_subject, open_table
from unlearning.errors import ConflictError
from unlearning.policy.deletion import TERMINAL, Disposition

log = logging.getLogger("expunge.withholding")


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
        records = sorted(d.record_id for d in protected)
        number = len(services.journal.read(batches.stream(batch))) + 1
        facts: dict[str, Any] = {"records": records}
        entry = journal.Entry(
            batches.stream(batch), f"withheld/{number}", "RequestsWithheld", facts
        )
        services.journal.append(entry)
    _journal_withheld(services, batch)
    _report_late(services, batch, late)
    return len(protected)


def _under_hold(services: Services, batch: str) -> tuple[list[Disposition], list[Disposition]]:
    """The batch's requests under a hold: those whose rows it protects, and those it is late for."""
    held = batches.pseudonyms_on_hold(services)
    named = _open(services, [d for d in batches.accepted(services, batch) if d.subject in held])
    if not named or services.journal.find(batches.stream(batch), "suppressed") is None:
        return named, []  # nothing was deleted yet
    by_record = batches.subjects_by_record(services, batch)
    wanted = {by_record[d.record_id] for d in named}
    there: set[str] = set()
    for uri, column in subject_tables(services, batch).items():
        there |= count_by_subject(open_table(services.settings, uri), column, wanted).keys()
    protected = [d for d in named if by_record[d.record_id] in there]
    return protected, [d for d in named if by_record[d.record_id] not in there]


def _open(services: Services, requests: list[Disposition]) -> list[Disposition]:
    """Those that are not answered yet; what is answered nobody can take back."""
    heads = services.journal.latest("requests", [d.record_id for d in requests])
    answered = {name for name, event in heads.items() if event.status in TERMINAL}
    return [d for d in requests if d.record_id not in answered]


def _report_late(services: Services, batch: str, late: list[Disposition]) -> None:
    if not late:
        return
    log.error(
        "ALARM: A legal hold was placed on %d subjects of batch %s when no table held a row of "
        "them any more; tell who asked for it.",
        len(late),
        batch,
    )
    reason = "a legal hold was placed when no table held a row of the subject any more"
    services.journal.append_all(
        (
            journal.Entry(
                f"requests/{d.record_id}",
                f"{batch}/hold-too-late",
                "HoldTooLate",
                {**asdict(d), "batch": batch, "reason": reason},
            )
            for d in late
        ),
    )


def _journal_withheld(services: Services, batch: str) -> None:
    withheld = {e: set(records) for e, records in _withheld(services, batch).items()}
    named = set().union(*withheld.values())
    mine = [d for d in batches.dispositions(services, batch) if d.record_id in named]
    services.journal.append_all(
        (
            journal.Entry(
                f"requests/{d.record_id}",
                f"{batch}/{event_id}",
                "RequestHeld",
                {**asdict(d), "batch": batch, "reason": "a legal hold was placed"},
            )
            for d in _open(services, mine)
            for event_id, records in withheld.items()
            if d.record_id in records
        ),
    )


def refuse_held(services: Services, batch: str) -> None:
    """Stop before an effect that cannot be undone if a hold now protects rows of the batch.

    Raises:
        ConflictError: at least one is held; the next run takes those requests out.
    """
    protected, _ = _under_hold(services, batch)
    if protected:
        raise ConflictError(
            f"A legal hold was placed on {len(protected)} subjects of batch {batch} meanwhile; run "
            "again to go on without them."
        )


def _withheld(services: Services, batch: str) -> dict[str, list[str]]:
    """Records taken out of the batch, by the event that did it."""
    events = services.journal.read(batches.stream(batch))
    return {e.id: e.facts["records"] for e in events if e.name == "RequestsWithheld"}

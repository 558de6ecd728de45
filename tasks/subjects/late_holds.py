"""Legal holds that come while a batch is at work: whom they protect, and whom they are late for."""

import logging
from dataclasses import asdict
from typing import Any

from tasks.intake import batches
from tasks.journal import journal
from tasks.store import lease
from tasks.store.objects import ObjectStore
from tasks.subjects.resolution import subject_tables
from tasks.tables.delta import count_by_subject, open_table
from unlearning.errors import ConflictError
from unlearning.policy.deletion import TERMINAL, Disposition

log = logging.getLogger("expunge.withholding")


def withhold(store: ObjectStore, batch: str) -> int:
    """Take requests out of the batch whose subject came under a hold since; returns how many.

    A hold that is placed while a batch waits or runs protects the rows as long as a table holds
    them. The commit that deletes them is the point of no return, although their files are there
    until the vacuum: to undo it, held rows would have to be written anew, among those that others
    have written since. Such a request ends as erased, and the hold is reported.
    """
    protected, late = _under_hold(store, batch)
    if protected:
        lease.check(store)  # a run that was replaced knows nothing of what is erased by now
        records = sorted(d.record_id for d in protected)
        number = len(journal.read(store, batches.stream(batch))) + 1
        facts: dict[str, Any] = {"records": records}
        entry = journal.Entry(
            batches.stream(batch), f"withheld/{number}", "RequestsWithheld", facts
        )
        journal.append(store, entry)
    _journal_withheld(store, batch)
    _report_late(store, batch, late)
    return len(protected)


def _under_hold(store: ObjectStore, batch: str) -> tuple[list[Disposition], list[Disposition]]:
    """The batch's requests under a hold: those whose rows it protects, and those it is late for."""
    held = batches.pseudonyms_on_hold(store)
    named = _open(store, [d for d in batches.accepted(store, batch) if d.subject in held])
    if not named or journal.find(store, batches.stream(batch), "suppressed") is None:
        return named, []  # nothing was deleted yet
    by_record = batches.subjects_by_record(store, batch)
    wanted = {by_record[d.record_id] for d in named}
    there: set[str] = set()
    for uri, column in subject_tables(store, batch).items():
        there |= count_by_subject(open_table(uri), column, wanted).keys()
    protected = [d for d in named if by_record[d.record_id] in there]
    return protected, [d for d in named if by_record[d.record_id] not in there]


def _open(store: ObjectStore, requests: list[Disposition]) -> list[Disposition]:
    """Those that are not answered yet; what is answered nobody can take back."""
    heads = journal.latest(store, "requests", [d.record_id for d in requests])
    answered = {name for name, event in heads.items() if event.status in TERMINAL}
    return [d for d in requests if d.record_id not in answered]


def _report_late(store: ObjectStore, batch: str, late: list[Disposition]) -> None:
    if not late:
        return
    log.error(
        "ALARM: A legal hold was placed on %d subjects of batch %s when no table held a row of "
        "them any more; tell who asked for it.",
        len(late),
        batch,
    )
    reason = "a legal hold was placed when no table held a row of the subject any more"
    journal.append_all(
        store,
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


def _journal_withheld(store: ObjectStore, batch: str) -> None:
    withheld = {e: set(records) for e, records in _withheld(store, batch).items()}
    named = set().union(*withheld.values())
    mine = [d for d in batches.dispositions(store, batch) if d.record_id in named]
    journal.append_all(
        store,
        (
            journal.Entry(
                f"requests/{d.record_id}",
                f"{batch}/{event_id}",
                "RequestHeld",
                {**asdict(d), "batch": batch, "reason": "a legal hold was placed"},
            )
            for d in _open(store, mine)
            for event_id, records in withheld.items()
            if d.record_id in records
        ),
    )


def refuse_held(store: ObjectStore, batch: str) -> None:
    """Stop before an effect that cannot be undone if a hold now protects rows of the batch.

    Raises:
        ConflictError: at least one is held; the next run takes those requests out.
    """
    protected, _ = _under_hold(store, batch)
    if protected:
        raise ConflictError(
            f"A legal hold was placed on {len(protected)} subjects of batch {batch} meanwhile; run "
            "again to go on without them."
        )


def _withheld(store: ObjectStore, batch: str) -> dict[str, list[str]]:
    """Records taken out of the batch, by the event that did it."""
    events = journal.read(store, batches.stream(batch))
    return {e.id: e.facts["records"] for e in events if e.name == "RequestsWithheld"}

"""A batch of deletion requests: what was decided about each, and who is in it."""

import json
import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from importlib.metadata import version as package_version

from tasks.intake import inbox, kept_rows, quarantine
from tasks.intake.columns import IdRules
from tasks.intake.validation_report import render_report
from tasks.journal import journal
from tasks.journal.events import ids
from tasks.journal.events.batches import BatchValidated
from tasks.journal.events.catalog import batch_stream, request_stream
from tasks.journal.events.requests import (
    RequestAccepted,
    RequestDuplicated,
    RequestFact,
    RequestHeld,
    RequestQuarantined,
    RequestReleased,
)
from tasks.journal.journal import Entry
from tasks.journal.reading import read_batch
from tasks.registry.services import Services
from tasks.store.objects import MissingObjectError
from unlearning.policy.deadlines import due_on
from unlearning.policy.deletion import Disposition, count_outcomes
from unlearning.policy.subject_kinds import kind_pseudonym

log = logging.getLogger("expunge.batches")

_EVENTS = {
    "accepted": RequestAccepted,
    "quarantined": RequestQuarantined,
    "duplicate": RequestDuplicated,
    "on_hold": RequestHeld,
}


def report_key(batch: str) -> str:
    """Where the report of a batch lies."""
    return f"reports/{batch}/erasure.html"


def pseudonyms(services: Services, subjects: Iterable[str], kind: str) -> dict[str, str]:
    """Pseudonym of each subject id of this kind; like the ids, it never leaves a task."""
    key = services.settings.pseudonym_secret()
    return {subject: kind_pseudonym(key, kind, subject) for subject in subjects}


def validate(services: Services, batch: str, ids_there: IdRules | None = None) -> dict[str, int]:
    """Judge every record of a batch once, journal each disposition, keep what is unusable.

    `ids_there` says what can be an id in the tables; without it, any text can.
    """
    done = read_batch(services.journal, batch).validated
    if done is not None:
        return done.counts
    judged = _judge_once(services, batch, ids_there)
    released = set(inbox.read_manifest(services, batch).released)
    services.journal.append_all(_entry(batch, d, released) for d in judged)
    _keep_quarantined(services, batch, judged)
    counts = count_outcomes(judged)
    report = f"reports/{batch}/validation.html"
    services.store.put(report, render_report(batch, judged).encode())
    facts = BatchValidated(counts=counts, report=report, code_version=package_version("expunge"))
    services.journal.append(batch_stream(batch), ids.VALIDATED, facts)
    log.info("Batch %s: %s", batch, ", ".join(f"{n} {o}" for o, n in counts.items()))
    return counts


def _judge_once(services: Services, batch: str, ids_there: IdRules | None) -> list[Disposition]:
    # It depends on the clock and the holds of its moment, so the first one is kept.
    try:
        return dispositions(services, batch)
    except MissingObjectError:
        from tasks.intake.validation import judge, judge_again

        known = set(inbox.read_manifest(services, batch).released)
        new = list(inbox.new_records(services, batch))
        log.info("Batch %s: validating %d new records, %d known", batch, len(new), len(known))
        secret = services.settings.pseudonym_secret()
        judged = judge(services, new, secret, ids_there) + judge_again(services, known)
        data = json.dumps([asdict(d) for d in judged]).encode()
        services.store.put_if_absent(_dispositions_key(batch), data)
        return dispositions(services, batch)


def dispositions(services: Services, batch: str) -> list[Disposition]:
    """What validation decided about each record of the batch."""
    return list(services.frozen.parsed(_dispositions_key(batch), _dispositions))


def _dispositions_key(batch: str) -> str:
    return f"batches/{batch}/dispositions.json"


def _dispositions(data: bytes) -> tuple[Disposition, ...]:
    return tuple(Disposition(**d) for d in json.loads(data))


def accepted(services: Services, batch: str, *, at: int | None = None) -> list[Disposition]:
    """The batch's records that are to be erased, less those withheld since for a hold.

    `at` is the number of an event of the batch: the records as they were then.
    """
    withheld = read_batch(services.journal, batch).withheld
    out = {r for number, _, records in withheld if at is None or number < at for r in records}
    judged = dispositions(services, batch)
    return [d for d in judged if d.outcome == "accepted" and d.record_id not in out]


def days_left(services: Services, batch: str) -> int:
    """Days to the earliest due date of the batch's requests; negative once it has passed."""
    today = journal.now().date()
    due = (due_on(d.received_at) for d in accepted(services, batch))
    return min(((one - today).days for one in due), default=0)


def _entry(batch: str, d: Disposition, released: set[str]) -> Entry[RequestFact]:
    event = _EVENTS[d.outcome]
    if d.record_id in released and d.outcome == "accepted":
        event = RequestReleased
    facts = event(disposition=d, batch=batch)
    return Entry(request_stream(d.record_id), ids.disposition(batch), facts)


def _keep_quarantined(services: Services, batch: str, judged: Sequence[Disposition]) -> None:
    reasons = {d.record_id: d.reason for d in judged if d.outcome == "quarantined"}
    files = {f.file_id: f.key for f in inbox.read_manifest(services, batch).files}
    rows = [
        {
            "record_id": r.record_id,
            "file": files.get(kept_rows.file_of(r.record_id), "of an earlier batch"),
            "reason": reasons[r.record_id],
            "row": r.row.fields,
        }
        for r in inbox.read_records(services, batch)
        if r.record_id in reasons
    ]
    quarantine.keep(services, batch, rows)


def subjects_by_record(
    services: Services, batch: str, kind: str, records: Collection[str] | None = None
) -> dict[str, str]:
    """Raw subject id of these records, or of each accepted one, as far as it is of this kind.

    It never leaves a task, and is looked for in tables of its kind alone.
    """
    judged = accepted(services, batch) if records is None else dispositions(services, batch)
    wanted = {d.record_id for d in judged if d.subject_kind == kind}
    wanted &= wanted if records is None else set(records)
    return kept_rows.subject_ids(services, frozenset(wanted))


def subjects(services: Services, batch: str, kind: str) -> list[str]:
    """Raw subject ids of this kind in the batch, each once, sorted; never leaves a task."""
    return sorted(set(subjects_by_record(services, batch, kind).values()))

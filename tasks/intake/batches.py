"""A batch of deletion requests: its verdicts, and who is in it."""

import json
import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import cache, lru_cache
from importlib.metadata import version as package_version

from tasks.intake import inbox, legal_holds
from tasks.intake.validation_report import render_report
from tasks.settings import load_settings
from tasks.store import journal
from tasks.store.objects import MissingObjectError, ObjectStore
from tasks.store.opening import open_store
from unlearning.policy.deadlines import due_date
from unlearning.policy.deletion import Disposition, count_outcomes
from unlearning.policy.digests import pseudonym

log = logging.getLogger("expunge.batches")

_EVENTS = {
    "accepted": "RequestAccepted",
    "quarantined": "RequestQuarantined",
    "duplicate": "RequestDuplicated",
    "on_hold": "RequestHeld",
}


def report_key(batch: str) -> str:
    """Where the report of a batch lies."""
    return f"reports/{batch}/erasure.html"


def stream(batch: str) -> str:
    """The batch's stream in the journal."""
    return f"batches/{batch}"


def pseudonyms(subjects: Iterable[str]) -> dict[str, str]:
    """Pseudonym of each subject id; like the ids, it never leaves a task."""
    key = load_settings().pseudonym_secret()
    return {subject: pseudonym(key, subject) for subject in subjects}


def pseudonyms_on_hold(store: ObjectStore) -> set[str]:
    """Pseudonyms of all subjects under a hold."""
    key = load_settings().pseudonym_secret()
    return {pseudonym(key, subject) for subject in legal_holds.subjects_on_hold(store)}


def validate(store: ObjectStore, batch: str) -> dict[str, int]:
    """Judge every record of a batch once, journal each verdict, keep what is unusable."""
    done = journal.find(store, stream(batch), "validated")
    if done is not None:
        return done.facts["counts"]
    judged = _judge_once(store, batch)
    released = set(inbox.read_manifest(store, batch).released)
    journal.append_all(store, (_entry(batch, d, released) for d in judged))
    _keep_quarantined(store, batch, judged)
    counts = count_outcomes(judged)
    report = f"reports/{batch}/validation.html"
    store.put(report, render_report(batch, judged).encode())
    facts = {"counts": counts, "report": report, "code_version": package_version("expunge")}
    journal.append(store, journal.Entry(stream(batch), "validated", "BatchValidated", facts))
    log.info("Batch %s: %s", batch, ", ".join(f"{n} {o}" for o, n in counts.items()))
    return counts


def _judge_once(store: ObjectStore, batch: str) -> list[Disposition]:
    # The verdict depends on the clock and the holds of its moment, so the first one is kept.
    key = f"batches/{batch}/dispositions.json"
    try:
        return dispositions(store, batch)
    except MissingObjectError:
        from tasks.intake.validation import judge, judge_again

        known = set(inbox.read_manifest(store, batch).released)
        new = list(inbox.new_records(store, batch))
        log.info("Batch %s: validating %d new records, %d known", batch, len(new), len(known))
        secret = load_settings().pseudonym_secret()
        judged = judge(store, new, secret) + judge_again(store, known, secret)
        store.put_if_absent(key, json.dumps([asdict(d) for d in judged]).encode())
        return dispositions(store, batch)


def dispositions(store: ObjectStore, batch: str) -> list[Disposition]:
    """What validation decided about each record of the batch."""
    return list(_dispositions(store.uri, batch))


@lru_cache(maxsize=4)  # they never change, and every step of a large batch asks
def _dispositions(uri: str, batch: str) -> tuple[Disposition, ...]:
    body = open_store(uri).get(f"batches/{batch}/dispositions.json")
    return tuple(Disposition(**d) for d in json.loads(body))


def accepted(store: ObjectStore, batch: str, *, at: int | None = None) -> list[Disposition]:
    """The batch's records that are to be erased, less those withheld since for a hold.

    `at` is the number of an event of the batch: the records as they were then.
    """
    events = [e for e in journal.read(store, stream(batch)) if at is None or e.number < at]
    out = {r for e in events if e.name == "RequestsWithheld" for r in e.facts["records"]}
    judged = dispositions(store, batch)
    return [d for d in judged if d.outcome == "accepted" and d.record_id not in out]


def days_left(store: ObjectStore, batch: str) -> int:
    """Days to the earliest due date of the batch's requests; negative once it has passed."""
    received = [datetime.fromisoformat(d.received_at) for d in accepted(store, batch)]
    today = journal.now().date()
    return min(((due_date(one.date()) - today).days for one in received), default=0)


def _entry(batch: str, d: Disposition, released: set[str]) -> journal.Entry:
    event = _EVENTS[d.outcome]
    if d.record_id in released and d.outcome == "accepted":
        event = "RequestReleased"
    facts = {**asdict(d), "batch": batch}
    return journal.Entry(f"requests/{d.record_id}", f"{batch}/disposition", event, facts)


def _keep_quarantined(store: ObjectStore, batch: str, judged: Sequence[Disposition]) -> None:
    reasons = {d.record_id: d.reason for d in judged if d.outcome == "quarantined"}
    files = {f.file_id: f.key for f in inbox.read_manifest(store, batch).files}
    rows = [
        {
            "record_id": r.record_id,
            "file": files.get(r.record_id.rpartition("-")[0], "of an earlier batch"),
            "reason": reasons[r.record_id],
            "row": r.row.fields,
        }
        for r in inbox.read_records(store, batch)
        if r.record_id in reasons
    ]
    inbox.keep_quarantined(store, batch, rows)


@cache
def _subjects(uri: str, batch: str, wanted: frozenset[str]) -> dict[str, str]:
    store = open_store(uri)
    return {
        r.record_id: str(r.row.fields["subject_id"])
        for r in inbox.read_records(store, batch)
        if r.record_id in wanted
    }


def subjects_by_record(
    store: ObjectStore, batch: str, records: Collection[str] | None = None
) -> dict[str, str]:
    """Raw subject id of these records, or of each accepted one; never leaves a task.

    Read from requests/ again.
    """
    wanted = [d.record_id for d in accepted(store, batch)] if records is None else records
    return _subjects(store.uri, batch, frozenset(wanted))


def subjects(store: ObjectStore, batch: str) -> list[str]:
    """Raw subject ids of the batch, each once, sorted; never leaves a task."""
    return sorted(set(subjects_by_record(store, batch).values()))

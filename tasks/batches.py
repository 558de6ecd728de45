"""Batches of deletion requests: freeze, validate, and who is in them."""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache

from tasks import holds, inbox, journal
from tasks.object_store import MissingObjectError, ObjectStore
from tasks.settings import load_settings
from tasks.validation_report import render_report
from unlearning.deletion import Disposition, count_outcomes
from unlearning.lineage import pseudonym

log = logging.getLogger("expunge.batches")

_EVENTS = {
    "accepted": "RequestAccepted",
    "quarantined": "RequestQuarantined",
    "duplicate": "RequestDuplicated",
    "on_hold": "RequestHeld",
}


def stream(batch: str) -> str:
    """The batch's stream in the journal."""
    return f"batches/{batch}"


def unfinished(store: ObjectStore) -> list[str]:
    """Batches that are not closed, oldest first."""
    found = [(e.at, name) for name, e in journal.heads(store, "batches") if e.status != "closed"]
    return [name for _, name in sorted(found)]


def has_work(store: ObjectStore) -> bool:
    """Whether a run would find anything to do or to report."""
    return bool(unfinished(store) or inbox.new_files(store) or _released(store))


def open_batches(store: ObjectStore) -> list[str]:
    """Freeze what is new and list every batch to work on, oldest first.

    Files of a batch whose freezing was interrupted are claimed before anything new is frozen, so
    that no row can end up in two batches.
    """
    for batch in unfinished(store):
        inbox.claim(store, batch)
    _freeze_new(store)
    for batch in unfinished(store):
        _supersede(store, batch)
    return unfinished(store)


def _freeze_new(store: ObjectStore) -> None:
    """Freeze all unclaimed files, and requests whose hold was lifted, into a batch.

    Open requests of blocked batches join it: more rows together can decide what few could not.
    """
    files, released = inbox.new_files(store), _released(store)
    if files or released:
        inbox.freeze(store, files, released + _stuck(store))


def _stuck(store: ObjectStore) -> list[str]:
    """Records of blocked batches that were not answered."""
    blocked = {name for name, e in journal.heads(store, "batches") if e.status == "blocked"}
    return [
        name
        for name, event in journal.heads(store, "requests")
        if event.facts["batch"] in blocked and event.status in ("accepted", "blocked")
    ]


def _released(store: ObjectStore) -> list[str]:
    """Records on hold that no hold names any more."""
    waiting = [(n, e) for n, e in journal.heads(store, "requests") if e.status == "on_hold"]
    if not waiting:
        return []
    key = load_settings().pseudonym_secret()
    held = {pseudonym(key, subject) for subject in holds.subjects_on_hold(store)}
    return [name for name, event in waiting if event.facts["subject"] not in held]


def _supersede(store: ObjectStore, batch: str) -> None:
    """Close blocked batches whose requests this batch took over; safe to repeat."""
    records = inbox.read_manifest(store, batch).released
    events = (e for r in records for e in journal.read(store, f"requests/{r}"))
    for old in {e.facts["batch"] for e in events} - {batch}:
        if journal.read(store, stream(old))[-1].status == "blocked":
            entry = journal.Entry(
                stream(old), f"superseded/{batch}", "BatchSuperseded", {"by": batch}
            )
            journal.append(store, entry)


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
    facts = {"counts": counts, "report": report}
    journal.append(store, journal.Entry(stream(batch), "validated", "BatchValidated", facts))
    log.info("Batch %s: %s", batch, ", ".join(f"{n} {o}" for o, n in counts.items()))
    return counts


def _judge_once(store: ObjectStore, batch: str) -> list[Disposition]:
    # The verdict depends on the clock and the holds of its moment, so the first one is kept.
    key = f"batches/{batch}/dispositions.json"
    try:
        return dispositions(store, batch)
    except MissingObjectError:
        from tasks.validation import judge

        records = list(inbox.read_records(store, batch))
        log.info("Batch %s: validating %d records", batch, len(records))
        judged = judge(store, records, load_settings().pseudonym_secret())
        store.put_if_absent(key, json.dumps([asdict(d) for d in judged]).encode())
        return dispositions(store, batch)


def dispositions(store: ObjectStore, batch: str) -> list[Disposition]:
    """What validation decided about each record of the batch."""
    return [Disposition(**d) for d in json.loads(store.get(f"batches/{batch}/dispositions.json"))]


def accepted(store: ObjectStore, batch: str) -> list[Disposition]:
    """The batch's records that are to be erased."""
    return [d for d in dispositions(store, batch) if d.outcome == "accepted"]


def _entry(batch: str, d: Disposition, released: set[str]) -> journal.Entry:
    event = _EVENTS[d.outcome]
    if d.record_id in released and d.outcome == "accepted":
        event = "RequestReleased"
    facts = {**asdict(d), "batch": batch}
    return journal.Entry(f"requests/{d.record_id}", f"{batch}/disposition", event, facts)


def _keep_quarantined(store: ObjectStore, batch: str, judged: Sequence[Disposition]) -> None:
    reasons = {d.record_id: d.reason for d in judged if d.outcome == "quarantined"}
    rows = [
        {"record_id": r.record_id, "reason": reasons[r.record_id], "row": r.row.fields}
        for r in inbox.read_records(store, batch)
        if r.record_id in reasons
    ]
    inbox.keep_quarantined(store, batch, rows)


@cache
def _subjects(uri: str, batch: str) -> dict[str, str]:
    from tasks.object_store import open_store

    store = open_store(uri)
    wanted = {d.record_id for d in accepted(store, batch)}
    return {
        r.record_id: str(r.row.fields["subject_id"])
        for r in inbox.read_records(store, batch)
        if r.record_id in wanted
    }


def subjects_by_record(store: ObjectStore, batch: str) -> dict[str, str]:
    """Raw subject id of each accepted record; read from requests/ again, never leaves a task."""
    return _subjects(store.uri, batch)


def subjects(store: ObjectStore, batch: str) -> list[str]:
    """Raw subject ids of the batch, each once, sorted; never leaves a task."""
    return sorted(set(subjects_by_record(store, batch).values()))

"""Which batches there are to work on: new ones frozen, interrupted ones continued."""

from tasks.intake import inbox
from tasks.intake.batches import accepted, pseudonyms_on_hold, stream
from tasks.journal import journal
from tasks.store.objects import ObjectStore
from tasks.subjects import suppression_list


def unfinished(store: ObjectStore) -> list[str]:
    """Batches that are not closed, oldest first."""
    names = [name for name, _ in journal.open_heads(store, "batches")]
    return sorted(names, key=lambda name: (journal.read(store, stream(name))[0].at, name))


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
        inbox.freeze(store, files, released | _stuck(store))


def _at_work(store: ObjectStore) -> dict[str, set[str]]:
    """Batches under way, each with the records that it took over from others."""
    return {
        name: set(inbox.read_manifest(store, name).released)
        for name, event in journal.open_heads(store, "batches")
        if event.status != "blocked"
    }


def _stuck(store: ObjectStore) -> dict[str, int]:
    """Open records that no batch is working on, with the number of their latest event."""
    busy = _at_work(store)
    taken = set().union(*busy.values())
    return {
        name: event.number
        for name, event in journal.open_heads(store, "requests")
        if event.status in ("accepted", "blocked")
        and event.facts["batch"] not in busy
        and name not in taken
    }


def _released(store: ObjectStore) -> dict[str, int]:
    """Records on hold that no hold names any more, with the number of their latest event."""
    waiting = {n: e for n, e in journal.open_heads(store, "requests") if e.status == "on_hold"}
    if not waiting:
        return {}
    held = pseudonyms_on_hold(store)
    taken = set().union(*_at_work(store).values())
    free = {n: e for n, e in waiting.items() if e.facts["subject"] not in held and n not in taken}
    return {name: event.number for name, event in free.items()}


def _supersede(store: ObjectStore, batch: str) -> None:
    """Close blocked batches whose every open request this batch took over; safe to repeat."""
    taken = set(inbox.read_manifest(store, batch).released)
    for old, head in list(journal.open_heads(store, "batches")):
        if old == batch or head.status != "blocked":
            continue
        mine = {d.record_id for d in accepted(store, old)}
        heads = journal.latest(store, "requests", mine)
        waiting = {r for r, e in heads.items() if e.status in ("accepted", "blocked")}
        if mine & taken and waiting <= taken:
            suppression_list.take_off_superseded(
                store, old
            )  # its list would excuse models from them
            entry = journal.Entry(
                stream(old), f"superseded/{batch}", "BatchSuperseded", {"by": batch}
            )
            journal.append(store, entry)

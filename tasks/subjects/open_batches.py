"""Which batches there are to work on: new ones frozen, interrupted ones continued."""

from tasks.intake import inbox, legal_holds, reduction
from tasks.intake.batches import accepted
from tasks.journal.events import ids
from tasks.journal.events.batches import BatchSuperseded
from tasks.journal.events.catalog import batch_stream
from tasks.journal.events.event import Event
from tasks.journal.events.requests import Answered, RequestFact, RequestSettled
from tasks.journal.reading import read_batch
from tasks.registry.services import Services
from tasks.subjects import sent_ahead, suppression_list
from tasks.subjects.returned import noted_waiting
from unlearning.policy.deletion import is_replay


def unfinished(services: Services) -> list[str]:
    """Batches that are not closed, oldest first."""
    names = [name for name, _ in services.journal.open_batches()]
    return sorted(names, key=lambda name: (read_batch(services.journal, name).began_at, name))


def has_work(services: Services) -> bool:
    """Whether a run would find anything to do or to report."""
    return bool(
        unfinished(services) or inbox.new_files(services) or _released(services)
    ) or reduction.has_work(services)


def open_batches(services: Services) -> list[str]:
    """Freeze what is new and list every batch to work on, oldest first.

    Files of a batch whose freezing was interrupted are claimed before anything new is frozen, and
    so is whoever was sent ahead, so that no row can end up in two batches.
    """
    for batch in unfinished(services):
        inbox.claim(services, batch)
        sent_ahead.finish(services, batch)
    _freeze_new(services)
    for batch in unfinished(services):
        _supersede(services, batch)
    return unfinished(services)


def _freeze_new(services: Services) -> None:
    """Freeze all unclaimed files, and requests whose hold was lifted, into a batch.

    Open requests of blocked batches join it: more rows together can decide what few could not.
    """
    files, released = inbox.new_files(services), _released(services)
    if files or released:
        inbox.freeze(services, files, released | _stuck(services))


def _at_work(services: Services) -> dict[str, set[str]]:
    """Batches under way, each with the records that it took over from others."""
    return {
        name: _taken(services, name)
        for name, event in services.journal.open_batches()
        if event.status != "blocked"
    }


def _taken(services: Services, batch: str) -> set[str]:
    """Records that the batch took over from others, and did not send ahead since."""
    ahead = read_batch(services.journal, batch).ahead.values()
    gone = {record for one in ahead for record in one.as_of}
    return set(inbox.read_manifest(services, batch).released) - gone


def _stuck(services: Services) -> dict[str, int]:
    """Open records that no batch is working on, with the number of their latest event."""
    busy = _at_work(services)
    taken = set().union(*busy.values())
    return {
        name: event.number
        for name, event in services.journal.open_requests()
        if event.status in ("accepted", "blocked")
        and event.facts.batch not in busy
        and name not in taken
    }


def _released(services: Services) -> dict[str, int]:
    """Records that no hold names any more, or that a person settled, or decided about.

    With the number of their latest event.
    """
    waiting = {n: e for n, e in services.journal.open_requests() if _waits(e)}
    if not waiting:
        return {}
    held = legal_holds.register(services)
    is_ours = any(is_replay(e.facts.request_id, e.facts.subject) for e in waiting.values())
    back = noted_waiting(services) if is_ours else set[str]()
    taken = set().union(*_at_work(services).values())
    return {
        name: event.number
        for name, event in waiting.items()
        if not (name in taken or isinstance(event.facts, Answered))
        and (event.status != "on_hold" or not held.protects(event.facts.disposition))
        and not (
            event.facts.subject in back and is_replay(event.facts.request_id, event.facts.subject)
        )
    }


def _waits(event: Event[RequestFact]) -> bool:
    return event.status == "on_hold" or isinstance(event.facts, RequestSettled)


def _supersede(services: Services, batch: str) -> None:
    """Close blocked batches whose every open request this batch took over; safe to repeat."""
    taken = _taken(services, batch)
    for old, head in list(services.journal.open_batches()):
        if old == batch or head.status != "blocked":
            continue
        mine = {d.record_id for d in accepted(services, old)}
        heads = services.journal.latest(mine)
        waiting = {r for r, e in heads.items() if e.status in ("accepted", "blocked")}
        if mine & taken and waiting <= taken:
            # Its list would excuse models from them.
            suppression_list.lift_superseded(services, old)
            services.journal.append(
                batch_stream(old), ids.superseded(batch), BatchSuperseded(by=batch)
            )

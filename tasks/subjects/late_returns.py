"""New rows of erased people that come between a request of our own and the run that answers it.

Such a request asks for rows that were erased before and are back (`tasks.subjects.replay`). Nobody
asked for those that come after it was written, so that they wait for a person, and it with them.
"""

from tasks.intake import batches
from tasks.journal.events import ids
from tasks.journal.events.catalog import batch_stream
from tasks.journal.events.withheld import RequestsWithheld
from tasks.journal.reading import read_batch
from tasks.registry.services import Services
from tasks.store import lease
from tasks.subjects import late_holds, replay, returned
from unlearning.errors import ConflictError
from unlearning.policy.deletion import Disposition, is_replay

_NEW = "rows that were not erased before came meanwhile; a person decides about them"
_REINSTATED = "a person reinstated its subject meanwhile"


def set_aside(services: Services, batch: str) -> int:
    """Take our own requests out of the batch that a person has to decide, or decided; how many.

    Those whose subject has new rows by now wait until somebody decides, or these are gone. Those
    whose subject was reinstated, after they were written, are withdrawn. Whoever another request of
    the batch names too is erased as that one asks. Cost: nothing if the batch has no request of our
    own, else that of a replay.
    """
    unwanted, overtaken = _unwanted(services, batch), _overtaken(services, batch)
    _withhold(services, batch, unwanted, _REINSTATED)
    _withhold(services, batch, overtaken, _NEW)
    if overtaken:
        replay.find_waiting(services, is_noted=True)
    if unwanted or overtaken:
        late_holds.tell_withheld(services, batch)
    returned.withdraw_reinstated(services, batch, _withheld(services, batch))
    return len(unwanted) + len(overtaken)


def refuse_new(services: Services, batch: str) -> None:
    """Stop before a deletion that would take new rows which only a request of our own names.

    So it does before one of somebody who was reinstated.

    Raises:
        ConflictError: there are such rows; the next run takes those requests out.
    """
    overtaken = [*_unwanted(services, batch), *_overtaken(services, batch)]
    if overtaken:
        raise ConflictError(
            f"New rows of {len(overtaken)} subjects of batch {batch}, who were erased before, came "
            "meanwhile, or somebody reinstated them; run again to go on without them."
        )


def _withhold(services: Services, batch: str, requests: list[Disposition], why: str) -> None:
    if requests:
        # A run that was replaced knows nothing of what is erased by now.
        lease.check(services.store)
        records = tuple(sorted(d.record_id for d in requests))
        number = read_batch(services.journal, batch).event_count + 1
        facts = RequestsWithheld(records=records, why=why)
        services.journal.append(batch_stream(batch), ids.withheld(number), facts)


def _withheld(services: Services, batch: str) -> set[str]:
    """Subjects whose requests left the batch, now or in a run before, as they were reinstated."""
    history = read_batch(services.journal, batch)
    left = {
        record
        for _, event_id, records in history.withheld
        if history.why_withheld.get(event_id) == _REINSTATED
        for record in records
    }
    judged = batches.dispositions(services, batch) if left else []
    return {d.subject for d in judged if d.record_id in left}


def _unwanted(services: Services, batch: str) -> list[Disposition]:
    ours = _ours(services, batch)
    reinstated = returned.reinstated(services, batch, {d.subject for d in ours})
    return [d for d in ours if d.subject in reinstated]


def _overtaken(services: Services, batch: str) -> list[Disposition]:
    ours = _ours(services, batch)
    waiting = replay.find_waiting(services) if ours else set[str]()
    undecided = returned.undecided(services, waiting & {d.subject for d in ours})
    undecided -= returned.reinstated(services, batch, undecided).keys()
    return [d for d in ours if d.subject in undecided]


def _ours(services: Services, batch: str) -> list[Disposition]:
    """Our own open requests of the batch, for subjects whom no other one of it names."""
    if read_batch(services.journal, batch).is_search_closed:
        return []  # all is deleted, and certificates are being written
    asked = batches.accepted(services, batch)
    named = {d.subject for d in asked if not is_replay(d.request_id, d.subject)}
    return [d for d in late_holds.still_open(services, asked) if d.subject not in named]

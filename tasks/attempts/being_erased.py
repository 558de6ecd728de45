"""Who asks again while an earlier batch erases them: that one answers first.

Its rows may be gone from the tables while its certificates are not written yet. Then nothing is
found of a person who was in them, and "not found" would be told of rows that nobody vouched for.
"""

from tasks.attempts.unhindered import counting
from tasks.intake import batches
from tasks.journal.reading import read_batch
from tasks.registry.services import Services
from tasks.subjects.sent_ahead import send
from tasks.subjects.suppression_list import load
from unlearning.errors import ConflictError
from unlearning.policy.counted import counted


def wait_for_others(services: Services, batch: str) -> None:
    """Stop before a model is changed if other batches are at erasing people of this one.

    Whoever is in no other one goes ahead in a batch of their own. Cost: a read of the suppression
    list where another batch is at erasing; else one of each open batch.

    Raises:
        ConflictError: so it is with some of the batch's people.
    """
    if read_batch(services.journal, batch).is_suppressed:
        return
    names = [name for name, _ in services.journal.open_batches() if name != batch]
    others = [name for name in names if read_batch(services.journal, name).is_suppressed]
    if not others:
        return
    listed = load(services).by_batch
    accepted = batches.accepted(services, batch)
    waiting = {
        name: {d.record_id for d in accepted if d.subject in listed.get(name, {})}
        for name in others
    }
    staying = set[str]().union(*waiting.values())
    if not staying:
        return
    going = {d.record_id for d in accepted} - staying
    send(services, batch, going, counting(services, batch, going))
    at_it = ", ".join(name for name in others if waiting[name])
    raise ConflictError(
        f"Batch {batch} names people whom {at_it} is erasing ({counted(len(staying), 'request')}); "
        "they are answered once that is closed, and `expunge status` says what it waits for."
    )

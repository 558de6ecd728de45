"""Who asks again while an earlier batch erases them: that one answers first.

Its rows may be gone from the tables while its certificates are not written yet. Then nothing is
found of a person who was in them, and "not found" would be told of rows that nobody vouched for.
"""

from tasks.attempts.unhindered import counting
from tasks.intake import batches
from tasks.registry.services import Services
from tasks.subjects.sent_ahead import send
from tasks.subjects.suppression_list import load
from unlearning.errors import ConflictError
from unlearning.policy.counted import counted


def wait_for_others(services: Services, batch: str) -> None:
    """Stop before a model is changed if other batches are at erasing people of this one.

    Whoever is in no other one goes ahead in a batch of their own. Cost: the suppression list.

    Raises:
        ConflictError: so it is with some of the batch's people.
    """
    # The list itself tells, not its event: whoever wrote it may have died in between.
    listed = load(services).by_batch
    names = {name for name, _ in services.journal.open_batches()}
    others = [name for name, who in listed.items() if name in names and who]
    if batch in listed or not others:
        return
    accepted = batches.accepted(services, batch)
    waiting = {
        name: {d.record_id for d in accepted if d.subject in listed[name]} for name in others
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

"""Whether the suppression list is whole: without it nobody notices who is back."""

from tasks.journal.events.batches import BatchSuperseded
from tasks.registry.services import Services
from unlearning.errors import EffectLostError
from unlearning.policy.counted import counted
from unlearning.policy.deletion import ERASING


def why_incomplete(services: Services) -> list[str]:
    """A sentence if batches erased people who are on no list; cost: one listing, and the heads."""
    there = {info.key for info in services.store.list_objects("suppression/")}
    erased = [
        name
        for name, head in services.journal.batches()
        if head.status in ("closed", *ERASING) and not isinstance(head.facts, BatchSuperseded)
    ]
    lost = [name for name in erased if f"suppression/{name}.json" not in there]
    if not lost:
        return []
    what = counted(len(lost), "batch")
    why = (
        f"The suppression list of {what} is gone from the store, {lost[0]} first, so that nobody "
        "notices whom it erased; restore suppression/ from a backup of the store."
    )
    return [why]


def refuse_incomplete(services: Services) -> None:
    """Stop before anything rests on a list that is not whole.

    Raises:
        EffectLostError: a part that the journal tells of is gone.
    """
    for why in why_incomplete(services):
        raise EffectLostError(why)

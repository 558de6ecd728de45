"""Weights in the store that no open batch will ask for again."""

import logging

from tasks.journal.reading import read_batch
from tasks.registry.services import Services

log = logging.getLogger("expunge.leftovers")

_FOLDERS = ("candidates/", "checkpoints/")


def drop_leftovers(services: Services) -> int:
    """Delete weights that no open batch will ask for again; returns how many objects.

    A batch drops its own when it closes, but not if another one took over its requests.
    """
    # Listed first: whatever is made after that belongs to a plan that is read below.
    found = [info.key for folder in _FOLDERS for info in services.store.list_objects(folder)]
    wanted = _wanted(services) if found else set[str]()
    dropped = [key for key in found if key not in wanted]
    for key in dropped:
        services.store.delete(key)
    if dropped:
        log.info("%d candidates and checkpoints of closed batches deleted", len(dropped))
    return len(dropped)


def _wanted(services: Services) -> set[str]:
    """Keys of all that attempts of open batches may keep."""
    attempts = [
        one.attempt.ids
        for batch, _ in services.journal.open_batches()
        for one in read_batch(services.journal, batch).attempts.values()
    ]
    return {key for one in attempts for key in (one.candidate, one.checkpoint)}

"""What the store keeps of weights and rows, and nothing will ask for again."""

import logging
from collections.abc import Callable, Collection

from tasks.journal.reading import enrolled_models, read_batch, read_model
from tasks.registry.services import Services

log = logging.getLogger("expunge.leftovers")


def drop_leftovers(services: Services) -> int:
    """Delete what no open batch and no enrolment will ask for again; returns how many objects.

    A batch drops its own when it closes, but not if another one took over its requests.
    """
    attempts = _drop(services, ("candidates/", "checkpoints/"), _of_open_batches)
    return attempts + drop_former(services)


def drop_former(services: Services) -> int:
    """Delete reference models and gradient ledgers that no present enrolment asks for.

    They were made of rows of tables in which nobody looks for them any more when rows are erased
    there, or a killed process left them behind an erasure. Returns how many objects.
    """
    folders = ("references/", "ledgers/")
    dropped = _drop(services, folders, _of_enrolments)
    for folder in folders:
        services.store.purge_noncurrent(folder)
    return dropped


def _drop(
    services: Services, folders: Collection[str], wanted: Callable[[Services], set[str]]
) -> int:
    # Listed first: whatever is made after that belongs to a plan, or a note, that is read below.
    found = [info.key for folder in folders for info in services.store.list_objects(folder)]
    asked = wanted(services) if found else set[str]()
    dropped = [key for key in found if key not in asked]
    for key in dropped:
        services.store.delete(key)
    if dropped:
        log.info("%d objects deleted that nothing asks for: %s", len(dropped), ", ".join(folders))
    return len(dropped)


def _of_open_batches(services: Services) -> set[str]:
    """Keys of all that attempts of open batches may keep."""
    attempts = [
        one.attempt.ids
        for batch, _ in services.journal.open_batches()
        for one in read_batch(services.journal, batch).attempts.values()
    ]
    return {key for one in attempts for key in (one.candidate, one.checkpoint)}


def _of_enrolments(services: Services) -> set[str]:
    """Keys of the reference models and the ledger of each model as it stands."""
    asked = set[str]()
    for enrollment in enrolled_models(services.journal):
        history = read_model(services.journal, enrollment.model)
        asked |= history.references_of(enrollment.holdout, history.holdout_erasures)
        asked.add(enrollment.ledger_key)
    return asked

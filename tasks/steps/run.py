"""The run around the batches: settings, lease, what is served and what waits."""

import logging

from tasks.approval import approvals, questions
from tasks.attempts import served, unhindered, withdrawal
from tasks.environment.device import pick_device
from tasks.intake import reduction
from tasks.journal.reading import enrolled_models, read_batch
from tasks.steps.policy import STEP
from tasks.steps.process import services
from tasks.store import lease
from tasks.store.format import check_format
from tasks.store.probe import refuse_overwriting
from tasks.store.pseudonym_keys import refuse_other_key
from tasks.subjects import open_batches as batches_at_work
from tasks.subjects import protection
from tasks.subjects.list_check import refuse_incomplete
from tasks.versions import alias_floor
from unlearning.errors import DataError, ExpungeError

log = logging.getLogger("expunge.steps")


@STEP
def check_settings() -> None:
    """Refuse to start unless store and MLflow answer and the device asked for is there."""
    at_hand = services()
    at_hand.store.check()
    check_format(at_hand.store)
    refuse_overwriting(at_hand.store)
    refuse_incomplete(at_hand)
    at_hand.registry.check_registry()
    pick_device(at_hand.settings)


@STEP
def served_models() -> list[str]:
    """Every enrolled model in service; one that nobody knows to answer stops its requests alone.

    Under the lease: a withdrawal that was cut off is finished first.
    """
    at_hand = services()
    withdrawal.finish_withdrawals(at_hand)
    enrolled = list(enrolled_models(at_hand.journal))
    found = [e.model for e in enrolled if not e.is_withdrawn]
    if not enrolled:
        raise DataError("No model is enrolled; run `expunge train` or `expunge enroll` first.")
    return found


@STEP
def take_lease() -> bool:
    """Whether this run may work; another one may be at it.

    From here on nobody rotates the key: this process may be older than the last rotation.
    """
    at_hand = services()
    holder = lease.take(at_hand.store)
    if holder:
        log.warning("Another run is at work (%s), so this one ends; nothing was done", holder)
        return False
    try:
        refuse_other_key(at_hand.store, at_hand.settings.pseudonym_secret)
    except ExpungeError:
        lease.give_back(at_hand.store)
        raise
    return True


@STEP
def has_lease() -> bool:
    """Whether this very run is at work already."""
    return lease.is_held(services().store)


@STEP
def give_back_lease() -> None:
    """The next run may work."""
    lease.give_back(services().store)


@STEP
def open_batches() -> list[str]:
    """Batches to work on: unfinished ones first, then whatever is new."""
    protection.warn_of_idle(services())
    found = batches_at_work.open_batches(services())
    if not found:
        log.info("Nothing new: every request is answered or on hold")
    return found


@STEP
def sent_ahead(known: list[str]) -> list[str]:
    """Batches of requests that were sent ahead of these, oldest first.

    Whoever a blocked one holds up for no reason is sent first.
    """
    for batch in known:
        if read_batch(services().journal, batch).status == "blocked":
            unhindered.send_unhindered(services(), batch)
    return [batch for batch in batches_at_work.unfinished(services()) if batch not in known]


@STEP
def waiting_batches() -> list[str]:
    """Batches that wait for approval."""
    found = questions.waiting(services())
    return [asked.batch for status, asked in found if status != "rejected"]


@STEP
def outdated_batches() -> list[str]:
    """Batches whose plan was overtaken while they waited for approval."""
    return approvals.outdated(services())


@STEP
def reduce_requests() -> int:
    """Request files of closed batches reduced to what is open; returns of how many batches."""
    return reduction.reduce_closed(services())


@STEP
def enforce_alias_floors() -> list[str]:
    """Aliases that point to versions which remember put back; a sentence for each one dropped.

    Then people are told of models of which nobody knows which version answers.
    """
    dropped = alias_floor.enforce(services())
    for why in served.unserved(services()).values():
        log.error("ALARM: %s Until then requests with rows in its tables wait.", why)
    return dropped

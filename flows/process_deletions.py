"""The main path: deletion requests in, unlearned models and certificates out."""

import logging

from prefect import State, flow
from prefect.exceptions import FailedRun
from prefect.states import Failed

from flows.ask_people import ask_people, is_asking
from flows.retire_versions import retire_versions
from flows.unlearn_model import unlearn_model
from tasks import pipeline, steps
from tasks.steps import TASKS
from tasks.subjects.standstills import reason_of
from unlearning.errors import GateRejectedError

GATE_REJECTED = "Gate rejected"
"""Name of the state of a run in which a model failed the gate; its message says which and why."""


class _OneLine(logging.Filter):
    """Has Prefect's engine log a run that ended in a state of our own without a traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, FailedRun):
            record.msg, record.args, record.exc_info = f"{record.getMessage()}: {error}", (), None
        return True


# A worker runs the flow by its entry point, so that nobody of ours stands above the engine.
logging.getLogger("prefect.engine").addFilter(_OneLine())


def run_now() -> int:
    """The flow as a plain call, whose refusals are errors.

    Raises:
        GateRejectedError: a model failed the gate; its champion and its requests stay as they are.
        ExpungeError: as the flow.
    """
    state = process_deletions(return_state=True)
    if state.name == GATE_REJECTED:
        raise GateRejectedError(state.message or "")
    count = state.result()
    return count if isinstance(count, int) else 0


@flow(name="process-deletions", flow_run_name="process deletions", result_serializer="json")
def process_deletions() -> int | State:
    """Work off every open batch, each for itself; returns how many: none if another run is at it.

    Then old versions are retired, and purged when their days are over. A model that failed the gate
    is no error of the run: the run ends as failed in the state "Gate rejected", with the reason.

    Raises:
        ConflictError: people must look at a version that remembers erased people, or at a copy.
        ExpungeError: a batch stopped for another reason; the batches after it were worked off.
    """
    steps.check_settings()
    if not steps.take_lease():
        return 0
    try:
        return _work_off_and_retire()
    except GateRejectedError as error:
        return Failed(name=GATE_REJECTED, message=str(error))
    finally:
        steps.give_back_lease()


def _work_off_and_retire() -> int:
    try:
        count = work_off(steps.served_models())
    finally:  # due whatever became of the batches
        old = retire_versions(return_state=True)
    old.result()
    return count


def work_off(models: list[str]) -> int:
    """Every open batch, and those that wait; raises the first trouble once all were looked at."""
    troubles = steps.enforce_alias_floors()
    # What is lost, only some requests need: they wait for it, and `expunge status` says so.
    steps.restore_snapshots()
    batches = steps.open_batches()
    states = [process_batch(batch, models, return_state=True) for batch in batches]
    while ahead := steps.sent_ahead(batches):
        batches += ahead
        states += [process_batch(batch, models, return_state=True) for batch in ahead]
    states += process_waiting(models)
    reduced = steps.reduce_requests(return_state=True)
    outcomes = [state.result(raise_on_failure=False) for state in states]
    for error in (o for o in outcomes if isinstance(o, BaseException)):
        raise error
    troubles += [reason for o in outcomes if isinstance(o, list) for reason in o]
    if troubles:
        raise GateRejectedError("; ".join(troubles))
    reduced.result()
    return len(batches)


@flow(name="process-batch", flow_run_name="batch {batch}", result_serializer="json")
def process_batch(batch: str, models: list[str]) -> list[str]:
    """Take one batch from validation to certificates; returns what people must look at, if any."""
    try:
        troubles = pipeline.process_batch(TASKS, batch, models, unlearn_model)
    except Exception as error:
        steps.note_standstill(batch, reason_of(error))
        raise
    steps.note_progress(batch)
    return troubles


def process_waiting(models: list[str]) -> list[State]:
    """Look again at batches that wait for approval: the others may have changed their plans."""
    states = [process_batch(b, models, return_state=True) for b in steps.outdated_batches()]
    if not is_asking():
        return states
    for batch in steps.waiting_batches():
        states += ask_people(batch)
        # Whatever was said, here or meanwhile at a terminal, stands in the journal.
        for again in (batch, *steps.outdated_batches()):
            states.append(process_batch(again, models, return_state=True))
    return states

"""Take model versions that remember erased people out of use, and purge them in time."""

from prefect import State, flow

from tasks import steps
from unlearning.errors import ConflictError


@flow(name="retire-versions", flow_run_name="retire versions", result_serializer="json")
def retire_versions() -> int:
    """Retire, purge what is due, list the places again; returns how many versions were purged.

    One run at a time: while another one is at work this one ends, for that one retires too.

    Raises:
        ConflictError: a version that remembers erased people, or a copy of it, is served, or could
            not be purged in time; people must look at it.
        ExpungeError: a version could not be purged; the others were.
    """
    if steps.has_lease():  # a run that has worked off its batches
        return retire_all()
    if not steps.take_lease():
        return 0
    try:
        return retire_all()
    finally:
        steps.give_back_lease()


def retire_all() -> int:
    """Retire and purge in every model, under the lease; raises once all were looked at."""
    models = steps.enrolled_names()
    retired = [steps.retire_versions(model, return_state=True) for model in models]
    purged = [state for model in models for state in purge_due(model)]
    leftovers = steps.drop_leftovers(return_state=True)
    reduced = steps.reduce_requests(return_state=True)
    results = [state.result() for state in retired]
    for state in (*purged, leftovers, reduced):
        state.result()
    alarms = [alarm for found in results for alarm in found]
    if alarms:
        raise ConflictError(" ".join(alarms))
    return len(purged)


def purge_due(model: str) -> list[State]:
    """Purge the model's versions whose days are over, each for itself."""
    found = steps.due_versions(model, return_state=True)
    if not found.is_completed():
        return [found]
    return [steps.purge_version(model, v, return_state=True) for v in found.result()]

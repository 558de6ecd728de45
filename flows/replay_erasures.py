"""The reconciler: find whoever is back after an erasure, in tables, in models, and ask for it."""

from prefect import flow

from tasks import steps
from unlearning.errors import ConflictError


@flow(name="replay-erasures", flow_run_name="replay erasures", result_serializer="json")
def replay_erasures() -> int:
    """Mend aliases and snapshots, and request every erasure again that was undone; counts those.

    Raises:
        ConflictError: an alias was dropped, or a restored table does not fit a model; whatever
            could be mended or requested was.
    """
    troubles = steps.enforce_alias_floors()
    troubles += steps.restore_snapshots()
    count = steps.request_replays()
    if troubles:
        raise ConflictError("; ".join(troubles) + ".")
    return count

"""Weights of closed batches go, and those of open ones stay."""

from hand_made_versions import MODEL
from small_tables import MARK

from tasks.journal.events import ids
from tasks.journal.events.attempts import BatchBlocked
from tasks.journal.events.batches import BatchSuperseded
from tasks.report import mlflow_mirror
from tasks.versions.leftovers import drop_leftovers

BEA, CYD = f"{MARK}-2", f"{MARK}-3"


def test_candidates_of_closed_batches_go_and_those_of_open_ones_stay(promoted):
    services, store = promoted.services, promoted.store
    lost = promoted.batch("b-2", [BEA])
    attempt = promoted.batch("b-3", [CYD])
    blocked = BatchBlocked(model=MODEL, attempt=lost.key, failed=(), reason="No rung was enough.")
    promoted.happen("b-2", lost.ids.blocked, blocked)
    promoted.happen("b-2", ids.superseded("b-3"), BatchSuperseded(by="b-3"))
    assert drop_leftovers(services) == 4  # b-1 was closed by hand, b-2 by b-3
    left = {i.key for f in ("candidates/", "checkpoints/") for i in store.list_objects(f)}
    assert left == {attempt.ids.candidate, attempt.ids.checkpoint}
    mlflow_mirror.close(services, "b-3")
    assert drop_leftovers(services) == 0

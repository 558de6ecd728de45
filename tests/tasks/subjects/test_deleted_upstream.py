import pytest
from deltalake import DeltaTable
from erased_world import Unreported
from small_tables import subject

from tasks import pipeline
from tasks.subjects import open_batches, snapshots

LOST, ASKED = 20, 21


@pytest.mark.parametrize("is_vacuumed", [False, True])
def test_nobody_is_told_that_nothing_was_found_whom_a_served_model_learned(world, is_vacuumed):
    DeltaTable(world.table).delete(f"subject_id = '{subject(LOST)}'")
    if is_vacuumed:
        DeltaTable(world.table).vacuum(0, dry_run=False, enforce_retention_duration=False)
    else:
        # The model is retrained from the snapshot that still has the one whom the lake deleted,
        # and the erasure takes that snapshot away.
        world.submit("first", [ASKED])
        world.run()
        assert world.certificate(f"first-{ASKED}")["outcome"] == "erased"
    world.submit("then", [LOST])
    snapshots.look_after_snapshots(world.services)
    (batch,) = open_batches.open_batches(world.services)
    (told,) = pipeline.process_batch(Unreported(world.services), batch, ["income"])
    assert "None of the rows that income learned can be read any more" in told
    assert world.requests()[f"then-{LOST}"].status == "blocked"
    world.train()  # on what is there now
    world.run()
    assert world.certificate(f"then-{LOST}")["outcome"] == "erased"

import pytest

from tasks import steps
from unlearning.errors import ConflictError


def test_the_steps_of_an_erasure_work_on_the_store_of_the_settings(world):
    world.submit("S", [30])
    (batch,) = steps.open_batches.fn()
    steps.validate_batch.fn(batch)
    steps.resolve_rows.fn(batch)
    assert steps.tables_to_erase.fn(batch) == [world.table]
    with pytest.raises(ConflictError, match="run again"):
        steps.erase_rows.fn(batch, world.table)  # nobody made the model forget them
    assert 30 in world.there()

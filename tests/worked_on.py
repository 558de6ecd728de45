"""Batches of the erased world that stop on their way, and tables that move meanwhile."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NoReturn

from deltalake import DeltaTable, write_deltalake
from erased_world import TRAINING, World
from small_tables import subject

from tasks.enrolling import enroll, train
from tasks.intake import batches
from tasks.subjects import open_batches, resolution
from unlearning.errors import TransientError


def away(*_: Any) -> NoReturn:
    """Stands for a call to a server that does not answer."""
    raise TransientError("MLflow is busy or away.")


def resolved(world: World, *numbers: int) -> str:
    """A batch as far as its search."""
    world.submit("X", numbers)
    (batch,) = open_batches.open_batches(world.services)
    batches.validate(world.services, batch)
    resolution.resolve(world.services, batch)
    return batch


def move_table(world: World, *, without: Sequence[int] = ()) -> str:
    """The owner writes the table anew elsewhere, trains and enrols there."""
    place = f"file://{world.folder}/train-v2"
    whole = DeltaTable(world.table).to_pyarrow_table()
    left_out = {subject(number) for number in without}
    kept = [name not in left_out for name in whole["subject_id"].to_pylist()]
    write_deltalake(place, whole.filter(kept))
    source = world.source(dataset=replace(world.source().dataset, uri=place))
    version = train.train_version(world.services, source, (8,), replace(TRAINING, seed=5))
    enroll.enroll_version(world.services, source, version, trust_pickle=False)
    return place

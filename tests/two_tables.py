"""A second table of other people in the erased world, with a model of its own."""

from dataclasses import replace

from deltalake import write_deltalake
from erased_world import TRAINING, Unreported, World
from small_tables import rows

from tasks import pipeline
from tasks.enrolling import enroll, train
from tasks.subjects import open_batches
from unlearning.errors import ExpungeError

FIRST = 5000
"""Number of the first subject in the second table."""


def enroll_photos(world: World) -> str:
    """Write the table, train a model on it and enrol it; returns the table's address."""
    places = [f"file://{world.folder}/{name}" for name in ("photos", "more-photos")]
    for seed, place in enumerate(places):
        write_deltalake(place, rows(120, first=FIRST + 120 * seed, seed=7 + seed))
    dataset = replace(world.source().dataset, uri=places[0])
    source = world.source(model="photos", dataset=dataset, holdout=places[1])
    version = train.train_version(world.services, source, (8,), TRAINING)
    enroll.enroll_version(world.services, source, version, trust_pickle=False)
    return places[0]


def work_off(world: World, models: tuple[str, ...] = ("income", "photos")) -> list[str]:
    """What a run does with every open batch; returns why some stopped."""
    steps, said = Unreported(world.services), list[str]()
    done: list[str] = []
    while left := [b for b in open_batches.open_batches(world.services) if b not in done]:
        done.append(left[0])
        try:
            said += pipeline.process_batch(steps, left[0], models)
        except ExpungeError as error:
            said.append(str(error))
    return said

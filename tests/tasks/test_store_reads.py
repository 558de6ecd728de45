"""How often a batch reads the object store: as often after two hundred batches as after two."""

import json
from collections import Counter

import pytest
from factories import attempt, frozen, measured, validated
from small_tables import subject

from tasks.environment.settings import load_settings
from tasks.journal.events import ids
from tasks.journal.events.batches import BatchClosed
from tasks.journal.events.catalog import batch_stream, model_stream
from tasks.journal.events.models import ForgettingSettled, HoldoutErased
from tasks.registry.services import Services
from tasks.store.files import FileStore

EARLIER = 200
MOST, MOST_FOR_A_MODEL = 110, 30


class CountedStore(FileStore):
    """A directory that counts reads; what is read while others read counts, too."""

    def __init__(self, root):
        super().__init__(root)
        self.read = Counter()

    def get(self, key):
        self.read[key.partition("/")[0]] += 1
        return super().get(key)


def reads_of_a_batch(world, number) -> int:
    """Objects that a fresh process reads to take one request from file to certificate."""
    store = CountedStore(str(world.folder.parent / "home" / "store"))
    world.services = Services.over(store, load_settings())
    world.submit(f"C{number}", [number])
    world.run()
    assert world.certificate(f"C{number}-{number}")["outcome"] == "erased"
    return store.read.total()


def live_through(world, batches):
    """What earlier batches leave in the store for ever, by hand: events and suppressed subjects."""
    journal = world.services.journal
    (pattern,) = list(world.store.list_objects("suppression/"))[:1]
    listed = json.loads(world.store.get(pattern.key))
    for number in range(batches):
        batch = f"b-{number:012x}"
        for event_id, facts in {
            ids.FROZEN: frozen(),
            ids.VALIDATED: validated(),
            ids.CLOSED: BatchClosed(),
        }.items():
            journal.append(batch_stream(batch), event_id, facts)
        of = attempt(key=f"a-{number:012x}", batch=batch)
        stream = model_stream("income")
        journal.append(stream, of.ids.measured, measured(of))
        journal.append(stream, ids.holdout_erased(batch), HoldoutErased(batch=batch))
        journal.append(stream, ids.settled(batch), ForgettingSettled(batch=batch))
        gone = {"batch": batch, "subjects": {f"{number:032x}": f"R-{number}"}}
        world.store.put(f"suppression/{batch}.json", json.dumps(listed | gone).encode())


def test_reads_are_few_and_do_not_grow_with_earlier_batches(world):
    first = reads_of_a_batch(world, 30)
    live_through(world, EARLIER)
    reads_of_a_batch(world, 31)  # whoever comes first packs what lies loose
    later = reads_of_a_batch(world, 32)
    assert first <= MOST
    assert later <= first + 10


@pytest.mark.parametrize("models", [3])
def test_reads_grow_by_the_same_few_for_each_model(world, models):
    alone = reads_of_a_batch(world, 33)
    for number in range(1, models):
        world.enroll_copy(world.enrolled(), f"copy{number}")
    together = reads_of_a_batch(world, 34)
    assert together <= alone + (models - 1) * MOST_FOR_A_MODEL


def test_one_request_or_many_cost_the_same_reads(world):
    one = reads_of_a_batch(world, 35)
    world.submit("many", range(40, 100))
    before = world.services.store.read.total()
    world.run()
    assert world.services.store.read.total() - before <= one
    assert subject(40) not in json.dumps(world.certificate("many-40"))

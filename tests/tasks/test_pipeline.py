"""The way of a batch, whoever runs its steps."""

import inspect

import pytest
from small_tables import subject

from tasks import pipeline
from tasks.journal.events.batches import BatchClosed, RowsErased
from tasks.journal.events.catalog import batch_stream
from tasks.journal.events.models import ChampionPromoted, ForgettingSettled
from tasks.journal.events.reduction import RequestsReduced
from tasks.journal.reading import read_batch, read_model
from tasks.subjects import open_batches
from unlearning.errors import DataError


def new_batch(world, name, numbers):
    world.submit(name, numbers)
    (batch,) = open_batches.open_batches(world.services)
    return batch


def test_a_batch_goes_from_request_to_certificate(world):
    batch = new_batch(world, "S", [20, 21])
    world.process(batch)
    found = read_batch(world.services.journal, batch)
    assert (found.status, found.is_closed) == ("closed", True)
    assert {20, 21} & world.there() == set()
    assert world.certificate("S-20")["outcome"] == "erased"
    *_, closed, _, reduced = world.services.journal.read(batch_stream(batch))
    assert isinstance(closed.facts, BatchClosed)
    assert isinstance(reduced.facts, RequestsReduced)
    assert found.last_at < closed.at


def test_a_second_run_over_the_same_batch_makes_nothing_new(world):
    batch = new_batch(world, "S", [20])
    world.process(batch)
    before = world.effects()
    world.process(batch)
    assert world.effects() == before


def test_a_model_that_forgot_is_settled_once_its_batch_is_closed(world):
    batch = new_batch(world, "S", [20])
    world.process(batch)
    assert len(world.events(ChampionPromoted)) == 2
    assert batch in {event.facts.batch for event in world.events(ForgettingSettled)}
    assert read_model(world.services.journal, "income").forgotten == {}


def test_a_subject_without_rows_is_certified_as_not_found(world):
    batch = new_batch(world, "N", [9999])
    world.process(batch)
    assert world.certificate("N-9999")["outcome"] == "not_found"
    assert subject(9999) not in str(world.certificate("N-9999"))
    events = world.services.journal.read(batch_stream(batch))
    assert not [e for e in events if isinstance(e.facts, RowsErased)]


def test_what_cannot_be_erased_for_good_stops_a_batch_before_a_model_is_changed(world):
    before, strays = world.champion(), [world.folder / "train" / n for n in ("a.csv", "b.csv.gz")]
    for stray in strays:
        stray.touch()
    batch = new_batch(world, "S", [20])
    with pytest.raises(DataError, match=r"2 objects in .* such as \*\.csv, \*\.csv\.gz; move"):
        world.process(batch)
    assert world.champion() == before
    assert not read_batch(world.services.journal, batch).attempts
    assert 20 in world.there()
    for stray in strays:
        stray.unlink()
    world.process(batch)
    assert world.champion() > before
    assert 20 not in world.there()


def test_what_cannot_be_erased_for_good_is_looked_for_again_before_rows_are_deleted(world):
    class Meanwhile(pipeline.Steps):
        def suppress_subjects(self, batch):
            (world.folder / "train" / "a.csv").touch()
            return super().suppress_subjects(batch)

        def mirror_audit(self, batch):
            """Tested in tests/tasks/report."""

    with pytest.raises(DataError, match="not the table's own"):
        pipeline.process_batch(Meanwhile(world.services), new_batch(world, "S", [20]), ["income"])
    assert 20 in world.there()


class Recorded(pipeline.Steps):
    """Writes down which steps were asked for, and lets one fail."""

    def __init__(self, services, fails=""):
        super().__init__(services)
        self.asked, self.fails = [], fails

    def __getattribute__(self, name):
        found = super().__getattribute__(name)
        if inspect.ismethod(found):
            self.asked.append(name)
            if name == self.fails:
                raise RuntimeError(name)
        return found

    def mirror_audit(self, batch):
        """Tested in tests/tasks/report."""


def test_nothing_is_deleted_before_everybody_who_remembers_was_asked(world):
    steps = Recorded(world.services)
    pipeline.process_batch(steps, new_batch(world, "S", [20]), ["income"])
    asked = steps.asked
    assert asked.index("promote_version") < asked.index("suppress_subjects")
    assert asked.index("suppress_subjects") < asked.index("erase_rows")
    assert asked.index("erase_rows") < asked.index("purge_files") < asked.index("advance_models")
    assert asked.index("certify_requests") < asked.index("close_batch")


def test_old_versions_that_cannot_be_retired_hold_up_no_erasure(world):
    steps = Recorded(world.services, fails="retire_versions")
    batch = new_batch(world, "S", [20])
    assert pipeline.process_batch(steps, batch, ["income"]) == []
    assert read_batch(world.services.journal, batch).is_closed


def test_a_step_that_fails_before_the_erasure_leaves_every_row(world):
    steps = Recorded(world.services, fails="promote_version")
    batch = new_batch(world, "S", [20])
    with pytest.raises(RuntimeError, match="promote_version"):
        pipeline.process_batch(steps, batch, ["income"])
    assert 20 in world.there()
    world.process(batch)
    assert 20 not in world.there()

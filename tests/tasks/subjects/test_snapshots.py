"""A model follows its rows through what the lake does to its table, or people are told."""

import shutil

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from erased_world import GONE, ROWS, TRAINING, Unreported
from small_tables import rows, subject

from tasks import pipeline
from tasks.attempts import planning
from tasks.certificates import status as summary
from tasks.enrolling import enroll, train
from tasks.journal.events.enrollment import DatasetSpec
from tasks.journal.events.models import SnapshotLost, SnapshotRestored
from tasks.subjects import open_batches
from tasks.subjects.snapshots import look_after_snapshots, why_lost
from tasks.tables import deletion
from unlearning.errors import MissingDataError

# MLflow and torch warn of their own type hints and formats.
pytestmark = pytest.mark.filterwarnings("ignore")

PERSON = 17


class DiesBeforePurge(Unreported):
    """The steps of an erasure up to the rows, whose files stay."""

    def purge_files(self, batch, table):
        raise KeyboardInterrupt


def upkeep(world, table=None):
    """What the lake's own jobs do at night."""
    DeltaTable(table or world.table).optimize.compact()
    deletion.vacuum(world.services.settings, table or world.table)


def scatter(world, uri=None):
    """The rows in two files, so that there is something to compact."""
    table = DeltaTable(uri or world.table).to_pyarrow_table()
    write_deltalake(uri or world.table, table.slice(100), mode="overwrite")
    write_deltalake(uri or world.table, table.slice(0, 100), mode="append")


def delete(world, *numbers):
    for number in numbers:
        DeltaTable(world.table).delete(f"subject_id = '{subject(number)}'")


def status(world, name):
    return world.requests()[name].status


def test_a_model_follows_its_rows_when_the_lake_compacts_and_vacuums(world):
    scatter(world)
    upkeep(world)
    world.submit("late", [PERSON])
    world.run()
    assert status(world, f"late-{PERSON}") == "erased"
    assert world.champion() == 3
    assert len(world.events(SnapshotRestored)) == 1
    assert look_after_snapshots(world.services) == []
    assert len(world.events(SnapshotRestored)) == 1


def test_rows_of_others_that_came_with_it_change_nothing(world):
    write_deltalake(world.table, rows(3, first=900), mode="append")
    scatter(world)
    upkeep(world)
    assert look_after_snapshots(world.services) == []
    (moved,) = world.events(SnapshotRestored)
    assert moved.facts.row_count == ROWS - len(GONE) + 3
    (model,) = summary.status(world.services)["models"]
    assert model["learned_rows"] == ROWS - len(GONE)
    world.submit("late", [PERSON, 20])
    world.run()
    assert status(world, f"late-{PERSON}") == "erased"


def test_as_many_rows_of_another_content_are_not_taken_for_its_own(world):
    table = DeltaTable(world.table).to_pyarrow_table()
    flipped = pa.array([1 - one for one in table["label"].to_pylist()], pa.int64())
    other = table.set_column(table.schema.get_field_index("label"), "label", flipped)
    write_deltalake(world.table, other, mode="overwrite")
    upkeep(world)
    (why,) = look_after_snapshots(world.services)
    assert f"{ROWS - len(GONE)} of the rows that income learned are not in the newest one" in why
    assert world.events(SnapshotRestored) == []


def test_who_is_gone_by_another_hand_is_never_not_found(world):
    delete(world, PERSON)
    upkeep(world)
    world.submit("late", [PERSON])
    (batch,) = blocked(world)
    assert status(world, f"late-{PERSON}") == "blocked"
    assert world.champion() == 2
    (lost,) = world.events(SnapshotLost)
    assert lost.facts.missing_rows == 1
    (why,) = why_lost(world.services)
    assert "1 of the rows that income learned are not in the newest one" in why
    assert "train income anew" in why
    # The same weights on the newest version: what other pages advise.
    enroll.enroll_version(world.services, world.source(), None, trust_pickle=False)
    assert blocked(world) == [batch]
    assert status(world, f"late-{PERSON}") == "blocked"
    world.train()
    world.run()
    assert status(world, f"late-{PERSON}") == "erased"
    assert world.champion() == 3
    assert why_lost(world.services) == []


def blocked(world):
    """Run every open batch, none of which a candidate can end."""
    look_after_snapshots(world.services)
    names = open_batches.open_batches(world.services)
    for name in names:
        steps = pipeline.Steps(world.services)
        (why,) = pipeline.process_batch(steps, name, ["income"])
        assert why.startswith("income blocked"), why
    return names


@pytest.fixture
def half_erased(world):
    """The world after a run that died between the deletion of rows and the removal of files."""
    world.submit("half", [PERSON])
    (batch,) = open_batches.open_batches(world.services)
    with pytest.raises(KeyboardInterrupt):
        pipeline.process_batch(DiesBeforePurge(world.services), batch, ["income"])
    return world


@pytest.mark.parametrize("where", ["another table", "the same table"])
def test_a_model_that_comes_while_a_batch_erases_follows_its_rows(half_erased, where):
    world, uri = half_erased, half_erased.table
    if where == "another table":
        uri = f"file://{world.folder}/other"
        write_deltalake(uri, rows(ROWS, first=5000, seed=3))
    scatter(world, uri)
    source = world.source(
        model="second", dataset=DatasetSpec(uri, ("features",), "label", "subject_id")
    )
    version = train.train_version(world.services, source, (8,), TRAINING)
    enroll.enroll_version(world.services, source, version, trust_pickle=False, promote=True)
    upkeep(world, uri)
    (batch,) = open_batches.open_batches(world.services)
    with pytest.raises(MissingDataError, match=f"of {uri}, from which second learned, cannot be"):
        planning.plan(world.services, batch, "second")
    world.run()
    assert status(world, f"half-{PERSON}") == "erased"
    assert world.events(SnapshotLost) == []


def test_while_a_batch_deletes_rows_nobody_is_told_that_others_did(half_erased):
    world = half_erased
    delete(world, 20)
    upkeep(world)
    assert look_after_snapshots(world.services) == []
    world.run()
    assert status(world, f"half-{PERSON}") == "erased"


def test_together_with_rows_that_are_left_a_retrain_ends_it(world):
    delete(world, PERSON)
    upkeep(world)
    world.submit("late", [PERSON, 20])
    world.run()
    assert status(world, f"late-{PERSON}") == status(world, "late-20") == "erased"
    assert world.champion() == 3
    assert why_lost(world.services) == []
    # What was learned anew is known again.
    world.submit("more", [PERSON + 1])
    world.run()
    assert status(world, f"more-{PERSON + 1}") == "erased"
    assert planning.read_enrollment(world.services.journal, "income").version == 4


def test_whom_no_weights_ever_learned_is_not_found_all_the_same(world):
    delete(world, PERSON)
    upkeep(world)
    world.submit("late", [950])
    world.run()
    assert status(world, "late-950") == "not_found"


def test_a_copy_with_all_the_rows_ends_the_alarm(world):
    delete(world, PERSON)
    upkeep(world)
    assert len(look_after_snapshots(world.services)) == 1
    first = rows(ROWS, seed=1).filter([i == PERSON for i in range(ROWS)])
    write_deltalake(world.table, first, mode="append")
    assert look_after_snapshots(world.services) == []


def test_a_table_that_cannot_be_read_is_told_and_stops_nothing_else(world):
    away = world.folder / "away"
    shutil.move(world.folder / "train", away)
    (said,) = look_after_snapshots(world.services)
    assert f"The table at {world.table} is no Delta table" in said
    shutil.move(away, world.folder / "train")
    assert look_after_snapshots(world.services) == []

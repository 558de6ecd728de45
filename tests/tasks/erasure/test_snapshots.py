"""Models are pointed to what is left of their table, whoever erased there meanwhile."""

import shutil
from dataclasses import replace

import pytest
from deltalake import DeltaTable, write_deltalake
from erased_world import GONE, ROWS
from small_tables import rows
from worked_on import away

from tasks.enrolling import enroll
from tasks.erasure import snapshots
from tasks.registry.mlflow_registry import Registry
from tasks.subjects import open_batches
from unlearning.errors import DataError, TransientError

# MLflow and torch warn of their own type hints and formats.
pytestmark = pytest.mark.filterwarnings("ignore")


def test_a_batch_that_stopped_after_its_rows_were_gone_ends_after_others(world, monkeypatch):
    world.submit("one", [50])
    (one,) = open_batches.open_batches(world.services)
    with monkeypatch.context() as patch:
        patch.setattr(Registry, "tag_version", away)
        with pytest.raises(TransientError):
            world.process(one)
    world.submit("two", [60])
    (two,) = set(open_batches.open_batches(world.services)) - {one}
    world.process(two)
    stands = world.enrolled()
    assert world.champion() == stands.version == 4

    world.process(one)
    assert world.requests()["one-50"].status == "erased"
    assert [m["version"] for m in world.certificate("one-50")["models"]] == [3]
    assert (world.champion(), world.enrolled()) == (4, stands)
    assert open_batches.unfinished(world.services) == []


def test_a_model_trained_anew_while_a_batch_has_not_ended_is_asked_too(world, monkeypatch):
    world.submit("one", [50])
    (one,) = open_batches.open_batches(world.services)
    with monkeypatch.context() as patch:
        patch.setattr(Registry, "tag_version", away)
        with pytest.raises(TransientError):
            world.process(one)
    stands = world.train()
    world.process(one)
    assert world.requests()["one-50"].status == "erased"
    assert (world.champion(), world.enrolled().digest) == (4, stands.digest)


def test_a_snapshot_that_another_batch_purged_is_not_looked_at(world, monkeypatch):
    """Two batches deleted rows and removed files, and then both stopped."""
    world.deliver_again(1, 2)
    named = []
    with monkeypatch.context() as patch:
        patch.setattr(snapshots, "advance_models", away)
        for name, number in (("one", 1), ("two", 2)):
            world.submit(name, [number])
            (batch,) = set(open_batches.open_batches(world.services)) - set(named)
            named.append(batch)
            with pytest.raises(TransientError):
                world.process(batch)
    world.run()
    assert {world.requests()[i].status for i in ("one-1", "two-2")} == {"erased"}
    assert world.enrolled().dataset_version == DeltaTable(world.table).version()
    assert world.enrolled().row_count == ROWS - len(GONE)


def test_a_model_stays_untouched_when_the_first_of_two_tables_was_erased(world):
    place = f"file://{world.folder}/valid"  # comes after the training table
    shutil.copytree(world.folder / "holdout", world.folder / "valid")
    enroll.enroll_version(world.services, world.source(holdout=place), None, trust_pickle=False)
    write_deltalake(world.table, rows(1, first=800), mode="append")  # since it was trained
    world.submit("r", [800, 300])
    world.run()
    assert 800 not in world.there()
    assert 300 not in world.there(place)
    assert {world.requests()[i].status for i in ("r-800", "r-300")} == {"erased"}
    assert world.champion() == 2


def test_a_ledger_over_a_former_table_goes_with_rows_of_it(world):
    former, spec = world.enrolled().ledger_key, world.enrolled().dataset
    shutil.copytree(world.folder / "train", world.folder / "moved")
    moved = replace(spec, uri=f"file://{world.folder}/moved")
    enroll.enroll_version(world.services, world.source(dataset=moved), None, trust_pickle=False)
    world.store.put(former, b"a mean over rows")
    write_deltalake(world.table, rows(1, first=800), mode="append")
    world.submit("r", [800])
    world.run()
    assert world.requests()["r-800"].status == "erased"
    assert list(world.store.list_objects("ledgers/")) == []


def test_a_table_whose_files_were_not_purged_advances_nobody(world):
    with pytest.raises(DataError, match="not purged yet"):
        snapshots.advance_models(world.services, "b-none", world.table)

"""Nothing is erased that a served model was not made to forget."""

from dataclasses import replace

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from erased_world import TRAINING
from small_tables import subject

from tasks.attempts import planning
from tasks.enrolling import enroll, train
from tasks.intake import batches
from tasks.pipeline import Steps
from tasks.subjects import open_batches, resolution, suppression_list
from unlearning.errors import ConflictError

# MLflow and torch warn of their own type hints and formats.
pytestmark = pytest.mark.filterwarnings("ignore")


def test_a_model_enrolled_while_a_batch_is_at_work_has_to_forget_too(world, monkeypatch):
    world.submit("next", range(20, 30))
    with monkeypatch.context() as patch:
        real = suppression_list.suppress

        def enrol_meanwhile(services, batch):
            world.enroll_copy(before, "late")
            return real(services, batch)

        before = world.enrolled()
        patch.setattr(suppression_list, "suppress", enrol_meanwhile)
        with pytest.raises(ConflictError, match="late was enrolled while"):
            world.run()
    assert world.there() >= set(range(20, 30))
    world.run()
    assert not world.there() & set(range(20, 30))
    assert world.services.registry.alias_version("late") == 2


def test_nobody_is_listed_before_every_model_was_asked(world):
    world.submit("X", [50])
    (batch,) = open_batches.open_batches(world.services)
    batches.validate(world.services, batch)
    resolution.resolve(world.services, batch)
    before = world.enrolled()
    world.unlearn(batch, "income")
    world.enroll_copy(before, "late")
    with pytest.raises(ConflictError, match="late was enrolled while"):
        Steps(world.services).suppress_subjects(batch)
    assert batch not in suppression_list.load(world.services).by_batch


def test_a_version_trained_on_a_copy_without_the_subjects_frees_a_batch_that_waits(world):
    world.submit("r", [50])
    (batch,) = open_batches.open_batches(world.services)
    batches.validate(world.services, batch)
    resolution.resolve(world.services, batch)
    plan = planning.plan(world.services, batch, "income")
    assert plan is not None  # which no rung could carry out, and somebody does it by hand
    place = f"file://{world.folder}/copy"
    kept = DeltaTable(world.table).to_pyarrow_table().to_pylist()
    kept = [row for row in kept if row["subject_id"] != subject(50)]
    write_deltalake(place, pa.Table.from_pylist(kept))
    source = world.source(dataset=replace(world.source().dataset, uri=place))
    version = train.train_version(world.services, source, (8,), TRAINING)
    enroll.enroll_version(world.services, source, version, trust_pickle=False)
    world.process(batch)
    assert world.requests()["r-50"].status == "erased"
    assert 50 not in world.there()
    assert world.champion() == version
    assert not world.enrolled().is_withdrawn

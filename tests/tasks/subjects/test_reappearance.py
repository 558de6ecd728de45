"""Erased subjects who are back in a table: found, and kept out of what is learned."""

import mlflow.pytorch  # noqa: F401 - its warnings come before those of a test
import numpy as np
import pytest
from deltalake import DeltaTable, write_deltalake
from erased_world import GONE, ROWS
from small_tables import rows, subject

from tasks.enrolling import enroll
from tasks.intake.batches import pseudonyms
from tasks.journal.events.models import ErasedSubjectsLearned
from tasks.registry import logged_files, mlflow_registry
from tasks.subjects import reappearance, suppression_list
from unlearning.policy.subject_kinds import SubjectColumn
from unlearning.training.architectures import mlp

# MLflow and torch warn of their own type hints and formats.
pytestmark = pytest.mark.filterwarnings("ignore")

COLUMN = SubjectColumn("subject_id")


def test_training_leaves_out_who_was_erased(world):
    clean = world.train()
    world.deliver_again(1, 2)
    again = world.train()
    assert again.digest == clean.digest
    assert again.row_count == clean.row_count == ROWS - len(GONE)
    assert again.dataset_version > clean.dataset_version
    assert (again.relearned, world.events(ErasedSubjectsLearned)) == ("", [])


def test_a_model_of_others_that_learned_from_them_has_to_forget(world):
    world.deliver_again(1, 2)
    module = mlp(inputs=40, hidden=(8,), classes=2, seed=3)
    run_id = world.services.registry.ensure_run(
        mlflow_registry.TRAINING_EXPERIMENT, "elsewhere", "elsewhere"
    )
    uri = logged_files.log_new(
        world.services.settings, run_id, module, np.zeros((2, 40), dtype=np.float32)
    )
    world.services.registry.create_version("income", uri, run_id, {})
    world.set_alias(3)
    found = enroll.enroll_version(world.services, world.source(), None, trust_pickle=False)
    assert found.row_count == ROWS - len(GONE) + 2
    assert len(world.events(ErasedSubjectsLearned)) == 1
    assert len(suppression_list.never_learned_by(world.services, found)) == len(GONE) - 2
    # Another policy for the same weights changes nothing of that.
    again = enroll.enroll_version(world.services, world.source(), None, trust_pickle=False)
    assert again.relearned == found.relearned

    assert world.replay() == ([], 2)
    world.run()
    assert world.champion() == 4
    assert not world.there() & set(GONE)
    body = world.certificate(next(i for i in world.requests() if i.startswith("replay-")))
    assert [(m["parent_version"], m["version"], m["forget_count"]) for m in body["models"]] == [
        (3, 4, 2)
    ]
    assert body["earlier_certificates"]
    assert len(suppression_list.never_learned_by(world.services, world.enrolled())) == len(GONE)
    assert world.enrolled().row_count == ROWS - len(GONE)


def test_a_scan_names_the_erased_by_pseudonym_and_counts_their_rows(world):
    world.deliver_again(1, 2)
    write_deltalake(world.table, rows(1, first=1), mode="append")
    found = reappearance.scan_table(world.services, world.table, COLUMN)
    named = pseudonyms(world.services, [subject(1), subject(2)], "person")
    assert found.rows == {named[subject(1)]: 2, named[subject(2)]: 1}
    assert found.version == DeltaTable(world.table).version()
    assert found.row_count == ROWS - len(GONE) + 3
    spec = world.enrolled().dataset
    assert reappearance.suppressed_ids(world.services, spec, None) == [subject(1), subject(2)]
    among = frozenset([named[subject(2)]])
    assert reappearance.raw_ids(world.services, world.table, COLUMN, None, among) == [subject(2)]
    assert reappearance.known_count(world.services, world.enrolled(), found) == ROWS - len(GONE)


def test_the_same_files_and_the_same_list_are_scanned_once(world, monkeypatch):
    world.deliver_again(1)
    first = reappearance.scan_table(world.services, world.table, COLUMN)
    with monkeypatch.context() as patch:
        patch.setattr(reappearance, "arrow_dataset", lambda *_: pytest.fail("read again"))
        assert reappearance.scan_table(world.services, world.table, COLUMN) == first
    world.restore()
    again = reappearance.scan_table(world.services, world.table, COLUMN)
    assert len(again.rows) == len(GONE)

"""Reference models: made once, from holdout rows alone, used again, gone when such rows are."""

from dataclasses import replace

import pytest
import torch
from tables import rows, write_tables
from torch import nn

from tasks.datasets.spec import DatasetSpec
from tasks.enrolling import reference_models
from tasks.enrolling.reference_models import (
    drop_references,
    read_recall,
    read_references,
    reference_rows,
)
from tasks.models.enrollment import Enrollment, record_enrollment, stream
from tasks.models.timed_trainings import retrain_forecast
from tasks.store import journal
from tasks.tables.delta import delete_rows
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.training_config import TrainingConfig
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.errors import ConflictError
from unlearning.model.rows import TensorRows, split_by_content
from unlearning.policy.budget import Deletions
from unlearning.training.architectures import mlp

TRAINING = TrainingConfig(epochs=3, batch_size=32)


@pytest.fixture
def enrollment(tmp_path, store):
    train, holdout = (f"file://{p}" for p in write_tables(tmp_path / "t", train=120, holdout=240))
    found = Enrollment(
        model="income",
        version=1,
        digest="d",
        dataset=DatasetSpec(train, ("features",), "label", "subject_id"),
        dataset_version=0,
        row_count=120,
        holdout=holdout,
        unlearning=UnlearningConfig(retraining=TRAINING),
        policy=GatePolicy(references=2, reference_rows=80),
        deletions=Deletions(trained_rows=120),
    )
    record_enrollment(store, found)
    return found


@pytest.fixture
def parent():
    return mlp(40, (16,), 2, seed=1)


def states(found):
    return [one.state_dict() for one in found.models]


def kept(store):
    return [info.key for info in store.list_objects("references/")]


def test_references_are_made_once_and_used_by_every_later_version(store, enrollment, parent):
    first = read_references(store, enrollment, parent)
    assert len(first.models) == 2
    assert not states(first)[0]["0.weight"].equal(states(first)[1]["0.weight"])
    before = [(i.key, i.version) for i in store.list_objects("references/")]
    later = replace(enrollment, version=2, digest="e", dataset_version=1)
    again = read_references(store, later, mlp(40, (16,), 2, seed=9))
    assert [(i.key, i.version) for i in store.list_objects("references/")] == before
    for one, other in zip(states(first), states(again), strict=True):
        assert all(value.equal(other[name]) for name, value in one.items())
    assert first.shadow is not None
    assert again.shadow is not None
    assert first.shadow.weights.equal(again.shadow.weights)
    # Timed on the way: 80 rows, three epochs.
    forecast = retrain_forecast(store, enrollment, 0)
    assert forecast is not None
    assert 0 < forecast.expected < 600
    recall = read_recall(store, "income")
    assert recall is not None
    assert 0 < recall.auc < 1


def test_they_learn_from_holdout_rows_that_nothing_is_judged_on(enrollment):
    read, judged = reference_rows(enrollment)
    assert 60 < judged.count <= read.count == 80
    table = rows(240, first=120, seed=2)
    features = torch.tensor(table["features"].to_pylist(), dtype=torch.float32)
    labels = torch.tensor(table["label"].to_pylist())
    ours, theirs = split_by_content(TensorRows(features, labels))
    mine = {row.numpy().tobytes() for row in ours.inputs}
    others = {row.numpy().tobytes() for row in theirs.inputs}
    assert {row.numpy().tobytes() for row in read.inputs} <= mine
    assert {row.numpy().tobytes() for row in judged.inputs} <= others
    assert not mine & others


def test_an_erasure_from_the_holdout_deletes_them_and_one_from_the_training_table_does_not(
    store, enrollment, parent
):
    first = read_references(store, enrollment, parent)
    assert drop_references(store, "b-1", enrollment.dataset.uri) == []
    assert len(kept(store)) == 1
    delete_rows(enrollment.holdout, "subject_id", ["zq7subject-00130"])
    assert drop_references(store, "b-2", enrollment.holdout) == ["income"]
    assert kept(store) == []
    # Twice for one batch is once, so that a run after a crash finds the same key.
    drop_references(store, "b-2", enrollment.holdout)
    anew = read_references(store, enrollment, parent)
    assert not states(first)[0]["0.weight"].equal(states(anew)[0]["0.weight"])
    assert sum(e.name == "HoldoutErased" for e in journal.read(store, stream("income"))) == 1


def test_a_policy_without_references_and_a_form_that_cannot_be_trained_have_none(
    store, enrollment, parent
):
    without = replace(enrollment, policy=GatePolicy(references=0))
    assert read_references(store, without, parent).models == ()

    class Bare(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(40, 2))

        def forward(self, inputs):
            return inputs @ self.weight

    assert read_references(store, enrollment, Bare()).models == ()
    assert kept(store) == []


def test_damaged_references_are_named(store, enrollment, parent):
    read_references(store, enrollment, parent)
    (key,) = kept(store)
    store.put(key, b"half a file")
    with pytest.raises(ConflictError, match="delete that object"):
        read_references(store, enrollment, parent)


def test_references_are_made_with_the_memory_that_there_is(store, enrollment, parent, monkeypatch):
    real, tried = reference_models.read_scores, []

    def tight(model, rows, *, chunk_size, device):
        tried.append(chunk_size)
        if chunk_size > 16:
            raise MemoryError
        return real(model, rows, chunk_size=chunk_size, device=device)

    monkeypatch.setattr(reference_models, "read_scores", tight)
    assert len(read_references(store, enrollment, parent).models) == 2
    assert tried[:3] == [1024, 128, 16]
    assert read_recall(store, "income") is not None

"""Reference models: made once, from holdout rows alone, used again, gone when such rows are."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from tasks.enrolling import reference_models
from tasks.enrolling.reference_models import (
    drop_references,
    read_reference_models,
    refresh_references,
)
from tasks.enrolling.timed_trainings import retrain_forecast
from tasks.journal.reading import read_model, record_enrollment
from tasks.registry import model_files
from tasks.tables.deletion import delete_rows
from tasks.versions.leftovers import drop_former
from unlearning.config.gate_policy import GatePolicy
from unlearning.errors import ConflictError
from unlearning.training.architectures import mlp


def states(found):
    return [one.state_dict() for one in found.models]


def kept(services):
    return [info.key for info in services.store.list_objects("references/")]


def test_references_are_made_once_and_used_by_every_later_version(services, enrollment, parent):
    first = read_reference_models(services, enrollment, parent)
    assert len(first.models) == 2
    assert not states(first)[0]["0.weight"].equal(states(first)[1]["0.weight"])
    before = [(i.key, i.version) for i in services.store.list_objects("references/")]
    later = replace(enrollment, version=2, digest="e", dataset_version=1)
    again = read_reference_models(services, later, mlp(40, (16,), 2, seed=9))
    assert [(i.key, i.version) for i in services.store.list_objects("references/")] == before
    for one, other in zip(states(first), states(again), strict=True):
        assert all(value.equal(other[name]) for name, value in one.items())
    assert first.shadow is not None
    assert again.shadow is not None
    assert first.shadow.weights.equal(again.shadow.weights)
    # Timed on the way: 80 rows, three epochs.
    forecast = retrain_forecast(services, enrollment, 0)
    assert forecast is not None
    assert 0 < forecast.expected < 600
    power = read_model(services.journal, "income").power
    assert power is not None
    assert 0 < power.auc < 1


def test_an_erasure_from_the_holdout_deletes_them_and_one_from_the_training_table_does_not(
    services, enrollment, parent
):
    first = read_reference_models(services, enrollment, parent)
    assert drop_references(services, "b-1", enrollment.dataset.uri) == []
    assert len(kept(services)) == 1
    delete_rows(services.settings, enrollment.holdout, "subject_id", ["zq7subject-00130"])
    assert drop_references(services, "b-2", enrollment.holdout) == ["income"]
    assert kept(services) == []
    # Twice for one batch is once, so that a run after a crash finds the same key.
    drop_references(services, "b-2", enrollment.holdout)
    anew = read_reference_models(services, enrollment, parent)
    assert not states(first)[0]["0.weight"].equal(states(anew)[0]["0.weight"])
    assert read_model(services.journal, "income").holdout_erasures == 1


def test_those_of_a_former_holdout_go_when_rows_of_it_are_erased(services, enrollment, parent):
    former = enrollment.holdout
    read_reference_models(services, enrollment, parent)
    record_enrollment(services.journal, replace(enrollment, holdout=enrollment.dataset.uri))
    assert drop_references(services, "b-1", former) == ["income"]
    assert kept(services) == []


def test_weights_that_a_killed_process_left_behind_an_erasure_go(
    services, enrollment, parent, monkeypatch
):
    put, measured_power = type(services.store).put, reference_models.measured_power

    def overtaken(*arguments):
        drop_references(services, "b-1", enrollment.holdout)
        return measured_power(*arguments)

    def killed_once_they_lie_there(store, key, data):
        put(store, key, data)
        if key.startswith("references/"):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(reference_models, "measured_power", overtaken)
        patch.setattr(type(services.store), "put", killed_once_they_lie_there)
        with pytest.raises(KeyboardInterrupt):
            read_reference_models(services, enrollment, parent)
    assert len(kept(services)) == 1
    assert drop_former(services) == 1
    assert kept(services) == []


def test_a_policy_without_references_and_a_form_that_cannot_be_trained_have_none(
    services, enrollment, parent
):
    without = replace(enrollment, policy=GatePolicy(references=0))
    assert read_reference_models(services, without, parent).models == ()

    class Bare(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(40, 2))

        def forward(self, inputs):
            return inputs @ self.weight

    assert read_reference_models(services, enrollment, Bare()).models == ()
    assert kept(services) == []


def test_damaged_references_are_named(services, enrollment, parent):
    read_reference_models(services, enrollment, parent)
    (key,) = kept(services)
    services.store.put(key, b"half a file")
    with pytest.raises(ConflictError, match="delete that object"):
        read_reference_models(services, enrollment, parent)


def test_the_store_is_asked_before_anything_is_trained(services, enrollment, parent, monkeypatch):
    monkeypatch.setattr(model_files, "load_model", lambda *_, **__: SimpleNamespace(module=parent))
    key = refresh_references(services, "income")
    assert kept(services) == [key]
    before = [(i.key, i.version) for i in services.store.list_objects("references/")]
    assert refresh_references(services, "income") == key
    assert [(i.key, i.version) for i in services.store.list_objects("references/")] == before
    without = replace(enrollment, policy=GatePolicy(references=0))
    record_enrollment(services.journal, without)
    assert refresh_references(services, "income") == ""

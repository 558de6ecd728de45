"""Reference models learn from holdout rows alone, with the memory that there is."""

import torch
from small_tables import rows

from tasks.enrolling import reference_training
from tasks.enrolling.reference_training import (
    measured_power,
    reference_rows,
    trained_references,
    with_weights,
)
from unlearning.model.rows import TensorRows, split_by_content


def test_they_learn_from_holdout_rows_that_nothing_is_judged_on(services, enrollment):
    read, judged = reference_rows(services, enrollment)
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


def test_every_training_begins_from_weights_of_its_own_and_the_fastest_is_told(
    services, enrollment, parent
):
    tensors, timed = trained_references(services, enrollment, parent, ())
    names = parent.state_dict().keys()
    assert tensors.keys() == {
        *(f"{number}/{name}" for number in (1, 2) for name in names),
        "shadow/weights",
        "shadow/shift",
    }
    assert not tensors["1/0.weight"].equal(tensors["2/0.weight"])
    assert (timed.rows, timed.epochs) == (80, 3)
    assert timed.seconds > 0


def test_power_is_that_of_the_attack_on_training_rows(services, enrollment, parent):
    power = measured_power(services, enrollment, parent, (), ())
    assert power.attack == "loss"
    assert 0 < power.auc < 1


def test_a_copy_has_the_given_weights_and_leaves_the_parents_alone(parent):
    state = {name: value + 1 for name, value in parent.state_dict().items()}
    before = {name: value.clone() for name, value in parent.state_dict().items()}
    copy = with_weights(parent, state)
    assert all(value.equal(state[name]) for name, value in copy.state_dict().items())
    assert all(value.equal(before[name]) for name, value in parent.state_dict().items())


def test_they_are_made_with_the_memory_that_there_is(services, enrollment, parent, monkeypatch):
    real, tried = reference_training.read_scores, []

    def tight(model, rows, *, chunk_size, device):
        tried.append(chunk_size)
        if chunk_size > 16:
            raise MemoryError
        return real(model, rows, chunk_size=chunk_size, device=device)

    monkeypatch.setattr(reference_training, "read_scores", tight)
    tensors, _ = trained_references(services, enrollment, parent, ())
    assert len({name.partition("/")[0] for name in tensors} - {"shadow"}) == 2
    assert tried[:3] == [1024, 128, 16]

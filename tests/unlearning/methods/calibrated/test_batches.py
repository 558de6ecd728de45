from dataclasses import replace
from itertools import islice

import pytest
import torch

from tests.oracles import linear_model
from tests.unlearning.methods.calibrated.examples import SHORT, config, problem
from unlearning.config.calibration_config import CalibrationConfig
from unlearning.methods.calibrated.batches import GoalBatches
from unlearning.methods.calibrated.goals import Goals
from unlearning.methods.calibrated.update import calibrated_update
from unlearning.model.rows import TensorRows


def sizes_of_steps(sets, rule):
    sizes = []
    model = linear_model(5, 3)
    model.register_forward_pre_hook(
        lambda _, inputs: sizes.append(len(inputs[0])) if torch.is_grad_enabled() else None
    )
    calibrated_update(model, **sets, config=config(replace(rule, sketch_batch=1000)))
    return sizes[1:]  # the first is the curvature


def test_a_forget_set_a_little_larger_than_a_batch_is_cut_in_equal_parts(rows):
    rule = replace(SHORT, forget_batch=12, min_retain_batch=8)
    assert sizes_of_steps(problem(rows) | {"forget": rows(13)}, rule) == [7 + 8, 6 + 8] * 2


def test_no_step_holds_fewer_retain_rows_than_the_others(rows):
    rule = replace(SHORT, min_retain_batch=8)
    sets = problem(rows) | {"forget": rows(8), "retain": rows(17, 1)}  # one row is left over
    assert sizes_of_steps(sets, rule) == [8 + 8] * SHORT.max_steps


def sorted_rows(rows, count, seed=0):
    held = rows(count, seed)
    order = held.labels.argsort(stable=True)
    return TensorRows(held.inputs[order], held.labels[order])


def classes_of(batches, part):
    """For each batch how many distinct classes its forget (0) or retain (1) rows have."""
    found = []
    for batch in batches:
        cut = batch.forgotten
        labels = (batch.labels[:cut], batch.labels[cut:])[part]
        found.append(len(labels.unique()))
    return found


def batches_over(forget, retain, rule):
    goals = Goals(torch.zeros(forget.count), torch.zeros(retain.count), distance=1.0)
    return GoalBatches(forget, retain, goals, rule, torch.Generator().manual_seed(0), "cpu")


@pytest.mark.parametrize("part", [0, 1])
def test_steps_on_a_table_sorted_by_class_have_rows_of_every_class(rows, part):
    rule = CalibrationConfig(forget_batch=30, min_retain_batch=30, sketch_rows=30)
    batches = batches_over(sorted_rows(rows, 120), sorted_rows(rows, 400, 1), rule)
    assert classes_of(islice(batches, 8), part) == [3] * 8


def test_a_batch_has_the_goals_of_its_own_rows(rows):
    """Retain rows are their own goals here, and so are forget rows."""
    forget, retain = (TensorRows(torch.arange(n).float(), rows(n).labels) for n in (50, 30))
    rule = CalibrationConfig(forget_batch=4, min_retain_batch=8, sketch_rows=10)
    goals = Goals(forget.inputs, retain.inputs, distance=1.0)
    batches = GoalBatches(forget, retain, goals, rule, torch.Generator().manual_seed(0), "cpu")
    stepped = list(islice(batches, batches.sizes.parts))
    every = [*stepped, *batches.sketch_batches()]
    assert all(torch.equal(batch.inputs, batch.goals) for batch in every)
    stepped = torch.cat([batch.inputs[: batch.forgotten] for batch in stepped])
    assert torch.equal(stepped.sort().values, forget.inputs)


def test_retain_goals_rise_by_what_rows_lack_and_stay_within_one(rows):
    forget, retain = rows(8), rows(40, 1)
    rule = CalibrationConfig(forget_batch=4, min_retain_batch=8)
    batches = batches_over(forget, retain, rule)  # every row has the goal 0
    lifts = []
    for lacked, batch in zip((0.25, 7.0, -0.5, -3.0, 0.0), batches, strict=False):
        lifts.append(batch.goals[batch.forgotten :].unique().tolist())
        assert not batch.goals[: batch.forgotten].any()
        batches.multiplier.update(batch, torch.full((len(batch.goals),), -lacked))
    assert lifts == [[0.0], [0.25], [1.0], [0.5], [0.0]]


def test_the_curvature_of_a_table_sorted_by_class_is_of_every_class(rows):
    rule = CalibrationConfig(sketch_rows=30, sketch_batch=30)
    batches = batches_over(sorted_rows(rows, 300), sorted_rows(rows, 400, 1), rule)
    assert [len(batch.labels.unique()) for batch in batches.sketch_batches()] == [3, 3]

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from tests.oracles import Fingerprint, linear_model
from tests.unlearning.methods.calibrated.examples import (
    DESCENT,
    FEATURES,
    SHORT,
    CountingRows,
    both_ways,
    config,
    either_way,
    problem,
)
from unlearning.config.calibration_config import CalibrationConfig
from unlearning.errors import DataError, DivergenceError
from unlearning.methods.calibrated.update import calibrated_update
from unlearning.model.margins import margin
from unlearning.model.rows import TensorRows


@pytest.fixture(
    scope="module", params=[DESCENT, CalibrationConfig()], ids=["descent", "closed form"]
)
def reports(world, request):
    """Before and after an update, either way."""
    model, _ = world.update(world.forget, request.param)
    return world.report(world.model, world.forget), world.report(model, world.forget)


def test_the_world_starts_with_forget_rows_that_are_clearly_remembered(reports):
    before, _ = reports
    assert before.mia_auc > 0.62
    assert before.forget_accuracy > before.holdout_accuracy + 0.25
    assert before.forget_loss < 0.3 * before.holdout_loss


def test_forget_rows_move_to_where_unseen_rows_stand(reports):
    _, after = reports
    assert after.mia_auc == pytest.approx(0.5, abs=0.06)
    assert after.forget_accuracy == pytest.approx(after.holdout_accuracy, abs=0.1)
    assert after.forget_loss == pytest.approx(after.holdout_loss, rel=0.4)


def test_retain_and_unseen_rows_are_served_as_before(reports):
    before, after = reports
    assert after.retain_accuracy > before.retain_accuracy - 0.03
    assert after.holdout_accuracy > before.holdout_accuracy - 0.03
    assert after.retain_loss == pytest.approx(before.retain_loss, abs=0.05)
    assert after.holdout_loss < before.holdout_loss + 0.1


@both_ways
def test_a_forget_set_within_the_tolerance_leaves_every_weight_bit_for_bit(world, rule):
    _, update = world.update(world.forget, replace(rule, tolerance=0.5))
    for name, value in world.model.named_parameters():
        assert torch.equal(update[name], value)


def assert_nearly_unchanged(before, after):
    assert after.mia_auc == pytest.approx(before.mia_auc, abs=0.03)
    assert after.forget_accuracy == pytest.approx(before.forget_accuracy, abs=0.05)
    assert after.holdout_accuracy == pytest.approx(before.holdout_accuracy, abs=0.02)


@either_way
def test_rows_that_were_never_trained_on_hardly_move(world, rule):
    model, _ = world.update(world.unseen, rule)
    assert_nearly_unchanged(
        world.report(world.model, world.unseen), world.report(model, world.unseen)
    )


@either_way
def test_a_second_update_on_the_same_rows_hardly_moves_them(world, rule):
    once, _ = world.update(world.forget, rule)
    sets = {"forget": world.forget, "retain": world.retain, "holdout": world.holdout}
    twice = copy.deepcopy(once)
    twice.load_state_dict(calibrated_update(once, **sets, config=config(rule)))
    assert_nearly_unchanged(world.report(once, world.forget), world.report(twice, world.forget))


@either_way
def test_over_forgotten_rows_are_brought_back_up(world, rule):
    flipped = TensorRows(world.unseen.inputs, 1 - world.model(world.unseen.inputs).argmax(1))
    model, _ = world.update(flipped, rule)
    before, after = world.report(world.model, flipped), world.report(model, flipped)
    assert before.mia_auc < 0.2
    assert after.mia_auc > before.mia_auc + 0.08
    assert after.forget_accuracy > 0.25
    assert after.forget_loss < 0.7 * before.forget_loss


@pytest.mark.parametrize("name", ["stateful", "exported"])
@both_ways
def test_the_model_is_left_bit_for_bit_as_it_was(name, rule, rows, request):
    model = request.getfixturevalue(name)
    next(model.parameters()).grad = torch.full_like(next(model.parameters()), 3.0)
    before = Fingerprint.of(model)
    update = calibrated_update(model, **problem(rows), config=config(rule))
    before.assert_same(model)
    assert update.keys() == {name for name, _ in model.named_parameters()}
    for parameter, value in model.named_parameters():
        assert not torch.equal(update[parameter], value)
        assert update[parameter].data_ptr() != value.data_ptr()
    next(model.parameters()).grad = None


def test_an_exported_model_moves_as_its_source_does(export_source, exported, rows):
    expected = calibrated_update(export_source, **problem(rows), config=config())
    actual = calibrated_update(exported, **problem(rows), config=config())
    for name, value in expected.items():
        torch.testing.assert_close(actual[name], value)


@both_ways
def test_dropout_and_batch_statistics_take_no_part(stateful, rule, rows):
    expected = calibrated_update(stateful.eval(), **problem(rows), config=config(rule))
    actual = calibrated_update(stateful.train(), **problem(rows), config=config(rule))
    assert all(torch.equal(value, actual[name]) for name, value in expected.items())


@both_ways
def test_the_same_seed_gives_the_same_bits_whatever_torch_drew_before(stateful, rule, rows):
    first = calibrated_update(stateful, **problem(rows), config=config(rule, seed=3))
    state = torch.random.get_rng_state()
    again = calibrated_update(stateful, **problem(rows), config=config(rule, seed=3))
    assert torch.equal(state, torch.random.get_rng_state())
    other = calibrated_update(stateful, **problem(rows), config=config(rule, seed=4))
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    assert not all(torch.equal(value, other[name]) for name, value in first.items())


@both_ways
def test_the_chunk_size_changes_nothing_but_rounding(stateful, rule, rows):
    whole = calibrated_update(stateful, **problem(rows), config=config(rule))
    chunked = calibrated_update(stateful, **problem(rows), config=config(rule, chunk_size=7))
    for name, value in whole.items():
        torch.testing.assert_close(chunked[name], value, rtol=1e-3, atol=1e-4)


@both_ways
def test_it_works_where_the_caller_switched_autograd_off(stateful, rule, rows):
    expected = calibrated_update(stateful, **problem(rows), config=config(rule))
    with torch.no_grad():
        update = calibrated_update(stateful, **problem(rows), config=config(rule))
    assert all(torch.equal(value, update[name]) for name, value in expected.items())


@both_ways
def test_one_row_in_each_set_is_enough(stateful, rule, rows):
    update = calibrated_update(
        stateful, forget=rows(1), retain=rows(1, 1), holdout=rows(1, 2), config=config(rule)
    )
    assert all(bool(value.isfinite().all()) for value in update.values())


class CountingModel(nn.Linear):
    """A model that remembers how many rows passed through it."""

    seen = 0

    def forward(self, inputs):
        self.seen += len(inputs)
        return super().forward(inputs)


def test_retain_and_holdout_are_read_once_and_forget_rows_once_a_round(rows):
    sets: dict[str, Any] = {n: CountingRows(held) for n, held in problem(rows).items()}
    calibrated_update(linear_model(5, 3), **sets, config=config())
    given = {name: held.given for name, held in sets.items()}
    rounds = 2 + SHORT.max_steps  # for the goals, for the curvature, for each step
    assert given == {"forget": 12 * rounds, "retain": 40, "holdout": 30}


@pytest.mark.parametrize("retained", [40, 400])
def test_the_forward_passes_are_those_that_the_docstring_names(rows, retained):
    model = CountingModel(5, 3)
    rule = replace(SHORT, forget_batch=4, min_retain_batch=8, sketch_rows=10)
    sets = {"forget": rows(12), "retain": rows(retained, 1), "holdout": rows(30, 2)}
    calibrated_update(model, **sets, config=config(rule))
    steps = 2 * rule.max_steps * (4 + 8)  # the second time to see how far to go
    assert model.seen == 12 + retained + 30 + 2 * rule.sketch_rows + steps


def largest_batch(model, sets, rule):
    sizes = []
    handle = model.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    calibrated_update(model, **sets, config=config(rule, chunk_size=16))
    handle.remove()
    return max(sizes)


def test_no_more_forget_rows_are_asked_for_than_four_batches(rows):
    forget = CountingRows(rows(2000))
    rule = replace(SHORT, forget_batch=20, min_retain_batch=8, sketch_rows=10)
    sets = {"forget": forget, "retain": rows(40, 1), "holdout": rows(30, 2)}
    calibrated_update(linear_model(5, 3), **sets, config=config(rule, chunk_size=16))
    assert max(forget.sizes) == 4 * 20


def test_more_forget_rows_need_no_more_memory(rows):
    rule = replace(SHORT, forget_batch=20, min_retain_batch=8, sketch_rows=10)
    few, many = (
        {"forget": CountingRows(rows(count)), "retain": rows(40, 1), "holdout": rows(30, 2)}
        for count in (20, 2000)
    )
    assert largest_batch(linear_model(5, 3), few, rule) == 40
    assert largest_batch(linear_model(5, 3), many, rule) == 40


@pytest.mark.parametrize(
    ("rule", "lacking"),
    [(DESCENT, 0.09), (CalibrationConfig(), 0.02)],  # .07 and -.01; where goals do not rise
    ids=["descent", "closed form"],  # .11 and .03
)
def test_retain_rows_keep_their_margins_on_average(world, rule, lacking):
    after, _ = world.update(world.forget, rule)
    with torch.no_grad():
        before, now = (
            margin(model(world.retain.inputs), world.retain.labels)
            for model in (world.model, after)
        )
    assert float((before - now).clamp(-1, 1).mean()) < lacking


@either_way
def test_many_small_updates_harm_retain_rows_no_more_than_one_large_one(world, rule):
    """Eight requests in a row against the same rows at once."""
    once, _ = world.update(world.forget, rule)
    model = world.model
    for start in range(0, 150, 19):
        span = slice(start, start + 19)
        part = TensorRows(world.forget.inputs[span], world.forget.labels[span])
        model, _ = replace(world, model=model).update(part, rule)
    at_once, in_parts = world.report(once, world.forget), world.report(model, world.forget)
    assert in_parts.retain_accuracy > at_once.retain_accuracy - 0.02
    assert in_parts.holdout_accuracy > at_once.holdout_accuracy - 0.03
    assert in_parts.mia_auc == pytest.approx(0.5, abs=0.06)


class BreaksWhenMoved(nn.Linear):
    """A model whose scores are no numbers once its weights are not what they were."""

    first: torch.Tensor

    def forward(self, inputs):
        scores = super().forward(inputs)
        moved = (self.weight.detach() - self.first).abs().max() > 1e-3
        return scores / torch.where(moved, 0.0, 1.0) * torch.where(moved, 0.0, 1.0)


@both_ways
def test_margins_that_leave_the_numbers_are_refused_and_the_model_stays(rule, rows):
    model = BreaksWhenMoved(5, 3)
    model.load_state_dict(linear_model(5, 3).state_dict())
    model.first = model.weight.detach().clone()
    before = Fingerprint.of(model)
    with pytest.raises(DivergenceError, match="no longer finite"):
        calibrated_update(model, **problem(rows), config=config(rule))
    before.assert_same(model)


@pytest.mark.parametrize("name", ["forget", "retain", "holdout"])
def test_inputs_that_are_not_finite_are_refused(rows, name):
    sets = problem(rows)
    sets[name] = TensorRows(torch.full((20, 5), float("nan")), torch.tensor([0, 1] * 10))
    with pytest.raises(DivergenceError):
        calibrated_update(linear_model(5, 3), **sets, config=config())


def test_steps_are_float32_also_where_the_caller_autocasts(stateful, rows):
    expected = calibrated_update(stateful, **problem(rows), config=config())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        actual = calibrated_update(stateful, **problem(rows), config=config())
    assert all(torch.equal(value, actual[name]) for name, value in expected.items())


def mislabelled(rows, name, label) -> dict[str, Any]:
    sets = problem(rows)
    labels = sets[name].labels.clone()
    labels[1] = label
    return sets | {name: TensorRows(sets[name].inputs, labels)}


@pytest.mark.parametrize("label", [-100, -1, 3, 10**13])
@pytest.mark.parametrize("name", ["forget", "retain", "holdout"])
def test_a_label_that_is_not_a_class_is_refused(rows, name, label, stateful):
    before = Fingerprint.of(stateful)
    with pytest.raises(DataError, match="3 classes"):
        calibrated_update(stateful, **mislabelled(rows, name, label), config=config())
    before.assert_same(stateful)


@pytest.mark.parametrize("name", ["forget", "retain", "holdout"])
def test_an_empty_set_is_refused(rows, name):
    sets = problem(rows)
    sets[name] = rows(0)
    with pytest.raises(DataError, match="empty"):
        calibrated_update(linear_model(5, 3), **sets, config=config())


class WithZeroScore(nn.Linear):
    """The same binary model, its first score spelt out as zero."""

    def forward(self, inputs):
        odds = super().forward(inputs)
        return torch.cat([torch.zeros_like(odds), odds], dim=1)


class OneAxis(nn.Linear):
    def forward(self, inputs):
        return super().forward(inputs).squeeze(1)


@pytest.mark.parametrize("kind", [nn.Linear, OneAxis])
def test_a_model_with_one_log_odds_moves_as_its_two_class_form_does(world, kind):
    states = []
    for make in (kind, WithZeroScore):
        model = make(FEATURES, 1)
        model.load_state_dict(linear_model(FEATURES, 1).state_dict())
        sets = {"forget": world.forget, "retain": world.retain, "holdout": world.holdout}
        states.append(calibrated_update(model, **sets, config=config()))
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert not torch.equal(states[0]["weight"], linear_model(FEATURES, 1).weight)

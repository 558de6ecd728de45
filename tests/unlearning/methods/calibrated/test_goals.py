import copy
from dataclasses import replace

import torch

from tests.unlearning.methods.calibrated.examples import both_ways, config, either_way
from unlearning.config.calibration_config import CalibrationConfig
from unlearning.methods.calibrated.update import calibrated_update
from unlearning.model.rows import TensorRows


def test_rows_that_stand_exactly_where_the_holdout_stands_are_left_alone(world):
    # By rank alone, each row's goal is its own margin.
    by_rank = CalibrationConfig(difficulty_share=0.0, tolerance=1e-4, remaining_share=0.0)
    _, update = world.update(world.holdout, by_rank)
    for name, value in world.model.named_parameters():
        assert torch.equal(update[name], value)


@either_way
def test_the_holdout_decides_how_far_the_forget_rows_go(world, rule):
    guesses = world.model(world.holdout.inputs).argmax(1)
    losses = []
    for labels in (guesses, 1 - guesses):  # all right, all wrong
        holdout = TensorRows(world.holdout.inputs, labels)
        model, _ = world.update(world.forget, rule, holdout=holdout)
        losses.append(world.report(model, world.forget).forget_loss)
    assert losses[1] > 3 * losses[0]


def test_no_gradient_ever_comes_from_the_holdout(world):
    model, with_gradient = copy.deepcopy(world.model), []

    def watch(_, arguments):
        if torch.is_grad_enabled():
            with_gradient.append(arguments[0].detach().clone())

    model.register_forward_pre_hook(watch)
    sets = {"forget": world.forget, "retain": world.retain, "holdout": world.holdout}
    update = calibrated_update(model, **sets, config=config())
    read = {tuple(row) for row in torch.cat(with_gradient).tolist()}
    assert not read & {tuple(row) for row in world.holdout.inputs.tolist()}
    assert read >= {tuple(row) for row in world.forget.inputs.tolist()}
    assert read & {tuple(row) for row in world.retain.inputs.tolist()}
    assert not any(value.requires_grad for value in update.values())


@both_ways
def test_the_order_of_the_holdout_rows_does_not_matter(world, rule):
    double = replace(
        world,
        model=copy.deepcopy(world.model).double(),
        retain=TensorRows(world.retain.inputs.double(), world.retain.labels),
    )
    forget = TensorRows(world.forget.inputs.double(), world.forget.labels)
    order = torch.randperm(world.holdout.count)
    inputs, labels = world.holdout.inputs.double(), world.holdout.labels
    _, straight = double.update(forget, rule, holdout=TensorRows(inputs, labels))
    _, shuffled = double.update(forget, rule, holdout=TensorRows(inputs[order], labels[order]))
    for name, value in straight.items():
        torch.testing.assert_close(shuffled[name], value, rtol=1e-9, atol=1e-9)
        assert not torch.equal(value, double.model.get_parameter(name))

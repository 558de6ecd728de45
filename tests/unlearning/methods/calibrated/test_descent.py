import copy
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.nn.functional import smooth_l1_loss

from tests.oracles import linear_model
from tests.unlearning.methods.calibrated.examples import (
    DESCENT,
    SHORT,
    CountingRows,
    config,
    problem,
)
from unlearning.methods.calibrated.update import calibrated_update
from unlearning.model.forward import two_class_scores
from unlearning.model.margins import class_groups, difficulty_levels, margin, target_margins
from unlearning.model.rows import TensorRows


def steps_taken(world, rule):
    """Steps of an update, and the distance of the forget rows from their goals before each."""
    model, with_gradient = copy.deepcopy(world.model), []
    model.register_forward_pre_hook(lambda *_: with_gradient.append(torch.is_grad_enabled()))
    sets = {"forget": world.forget, "retain": world.retain, "holdout": world.holdout}
    calibrated_update(model, **sets, config=config(replace(rule, sketch_batch=10**6)))
    return sum(with_gradient) - 1  # the curvature is one


def test_the_update_ends_once_the_goals_are_near_enough(world):
    rule = replace(DESCENT, max_steps=80, tolerance=0.001, remaining_share=0.0)
    near, far = (steps_taken(world, replace(rule, tolerance=near)) for near in (0.08, 0.15))
    assert 80 > near > far > 1
    less, more = (steps_taken(world, replace(rule, remaining_share=part)) for part in (0.35, 0.8))
    assert 80 > less > more > 1


def test_a_table_sorted_from_easy_to_hard_is_not_left_after_its_easy_rows(world):
    """The first four batches stand at their goals, the others do not."""
    surprise = nn.functional.cross_entropy(
        world.model(world.unseen.inputs), world.unseen.labels, reduction="none"
    )
    easy = world.unseen.inputs[surprise < 0.01][:40], world.unseen.labels[surprise < 0.01][:40]
    hard = world.forget.inputs[: len(easy[1])], world.forget.labels[: len(easy[1])]
    rows = TensorRows(*(torch.cat(pair) for pair in zip(easy, hard, strict=True)))
    rule = replace(DESCENT, forget_batch=len(easy[1]) // 4, tolerance=0.001, remaining_share=0.9)
    _, update = world.update(rows, rule)
    assert not all(torch.equal(update[n], v) for n, v in world.model.named_parameters())


def test_every_forget_row_is_stepped_on_however_few_steps_are_allowed(rows):
    forget = CountingRows(rows(40))
    rule = replace(SHORT, forget_batch=4, max_steps=1, sketch_rows=4)
    sets = problem(rows)
    sets["forget"] = forget
    calibrated_update(linear_model(5, 3), **sets, config=config(rule))
    assert forget.given == 40 + 40 + 40  # for the goals, for the curvature, for the steps


def odds_model(rows) -> tuple[nn.Module, dict[str, Any]]:
    """A binary linear model: its margins are linear in its parameters, so one step is exact."""
    model = linear_model(5, 1).double()
    with torch.no_grad():
        model.weight.mul_(0.1)
    return model, {
        name: TensorRows(held.inputs.double(), held.labels % 2)
        for name, held in problem(rows).items()
    }


def weighted_loss(model, sets, rule):
    """The objective in the docstring, from public parts."""

    def margins(rows, of=model):
        return margin(two_class_scores(of(rows.inputs)), rows.labels)

    forget = smooth_l1_loss(margins(sets["forget"]), rule["forget"])
    retain = smooth_l1_loss(margins(sets["retain"]), rule["retain"])
    return forget + 0.7 * 400 / 12 * retain  # 12 rows weigh as 12 of 400


def expected_goals(model, sets):
    with torch.no_grad():
        now = {
            name: margin(two_class_scores(model(rows.inputs)), rows.labels)
            for name, rows in sets.items()
        }
    labels = {name: rows.labels for name, rows in sets.items()}
    groups = class_groups(labels["forget"], labels["retain"], labels["holdout"], min_rows=50)
    levels = difficulty_levels(
        (now["forget"], labels["forget"]), (now["retain"], labels["retain"]), groups, share=0.0
    )
    unseen = (now["holdout"], labels["holdout"])
    goals = target_margins(levels, labels["forget"], unseen, groups)
    return {"forget": goals, "retain": now["retain"]}


def test_a_step_goes_to_the_lowest_point_of_its_direction(rows):
    model, sets = odds_model(rows)
    goals = expected_goals(model, sets)
    rule = replace(SHORT, max_steps=1, relaxation=1.0, difficulty_share=0.0, tolerance=1e-9)
    moved = copy.deepcopy(model)
    moved.load_state_dict(calibrated_update(model, **sets, config=config(rule)))
    way = [new - old for new, old in zip(moved.parameters(), model.parameters(), strict=True)]
    slopes = []
    for at in (model, moved):
        loss = weighted_loss(at, sets, goals)
        parts = torch.autograd.grad(loss, list(at.parameters()))
        slopes.append(sum(float((a * b).detach().sum()) for a, b in zip(parts, way, strict=True)))
    assert slopes[0] < -1e-6
    assert abs(slopes[1]) < 1e-5 * abs(slopes[0])


def test_relaxation_is_the_share_of_that_step(rows):
    model, sets = odds_model(rows)
    rule = replace(SHORT, max_steps=1, tolerance=1e-9)
    whole, half = (
        calibrated_update(model, **sets, config=config(replace(rule, relaxation=share)))
        for share in (1.0, 0.5)
    )
    for name, value in model.named_parameters():
        torch.testing.assert_close(half[name] - value, 0.5 * (whole[name] - value))

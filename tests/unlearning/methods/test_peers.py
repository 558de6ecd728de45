from dataclasses import replace

import pytest
import torch

from tests.oracles import linear_model, softmax_linear_gradient
from unlearning.config.method_configs import CurvatureConfig, DescentConfig, ScrubConfig
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.curvature.curvature import fisher_diagonal, gauss_newton
from unlearning.methods.catalog import unlearn
from unlearning.methods.gradient_ledger import Ledger
from unlearning.methods.problem import UnlearningProblem
from unlearning.model.gradients import mean_gradient
from unlearning.model.rows import TensorRows
from unlearning.model.scores import read_scores


@pytest.fixture
def problem(rows):
    data = rows(48)
    return UnlearningProblem(
        model=linear_model(5, 3),
        forget=TensorRows(data.inputs[:8], data.labels[:8]),
        retain=TensorRows(data.inputs[8:], data.labels[8:]),
        holdout=rows(10, seed=1),
    )


def losses(problem, config):
    """Mean loss on forget and retain rows, after less before."""
    model = linear_model(5, 3)
    model.load_state_dict(unlearn(problem, config))
    return [
        read_scores(model, rows, chunk_size=64).mean_loss
        - read_scores(problem.model, rows, chunk_size=64).mean_loss
        for rows in (problem.forget, problem.retain)
    ]


STEPS = DescentConfig(epochs=5, batch_size=16, learning_rate=1e-2)


def test_fine_tuning_lowers_the_retain_loss_and_never_reads_forget_rows(problem, rows):
    config = UnlearningConfig(method="fine_tune", fine_tuning=STEPS)
    assert losses(problem, config)[1] < -0.01
    other = unlearn(replace(problem, forget=rows(3, seed=9)), config)
    assert all(torch.equal(v, other[n]) for n, v in unlearn(problem, config).items())


def test_gradient_ascent_raises_the_forget_loss(problem):
    assert losses(problem, UnlearningConfig(method="gradient_ascent", ascent=STEPS))[0] > 0.01


def test_neggrad_plus_raises_the_forget_loss_and_with_all_weight_on_retain_is_fine_tuning(problem):
    far = replace(STEPS, retain_weight=0.5)
    assert losses(problem, UnlearningConfig(method="neggrad_plus", neggrad=far))[0] > 0.01
    once = replace(STEPS, epochs=1, retain_weight=1.0)
    one = unlearn(problem, UnlearningConfig(method="neggrad_plus", neggrad=once))
    other = unlearn(problem, UnlearningConfig(method="fine_tune", fine_tuning=once))
    for name, value in one.items():
        torch.testing.assert_close(value, other[name])


def test_scrub_leaves_its_teacher_on_forget_rows_more_than_on_retain_rows(problem):
    rule = ScrubConfig(
        max_epochs=5, min_epochs=6, batch_size=16, learning_rate=1e-2, loss_weight=0.0
    )
    after = linear_model(5, 3)
    after.load_state_dict(unlearn(problem, UnlearningConfig(method="scrub", scrub=rule)))

    def moved(rows):
        pair = [model(rows.inputs).detach().log_softmax(1) for model in (after, problem.model)]
        return float((pair[0] - pair[1]).square().mean())

    assert moved(problem.forget) > moved(problem.retain) > 0


def test_ssd_dampens_by_hand(problem):
    rule = CurvatureConfig(selection=1.2, dampening=0.5)
    state = unlearn(problem, UnlearningConfig(method="ssd", curvature=rule))
    forget = fisher_diagonal(problem.model, problem.forget)["weight"]
    retain = fisher_diagonal(problem.model, problem.retain)["weight"]
    everything = (8 * forget + 40 * retain) / 48
    before = problem.model.weight.detach()
    chosen = forget > 1.2 * everything
    assert chosen.any()
    assert not chosen.all()
    scaled = before * (0.5 * everything / forget).clamp(max=1.0).float()
    torch.testing.assert_close(state["weight"], torch.where(chosen, scaled, before))


def test_fisher_noise_has_the_size_that_its_formula_gives(problem):
    rule = CurvatureConfig(noise=1e-3, noise_limit=1e9)
    fisher = fisher_diagonal(problem.model, problem.retain)["weight"]
    draws = torch.stack(
        [
            unlearn(
                problem, UnlearningConfig(method="fisher_forgetting", curvature=rule, seed=seed)
            )["weight"]
            - problem.model.weight.detach()
            for seed in range(200)
        ]
    )
    ratio = draws.double().std(0) / (1e-3 * fisher.pow(-0.25))
    assert ratio.min() > 0.75
    assert ratio.max() < 1.25
    tight = replace(rule, noise_limit=1e-6)
    state = unlearn(problem, UnlearningConfig(method="fisher_forgetting", curvature=tight))
    assert (state["weight"] - problem.model.weight).abs().max() < 1e-5


@pytest.mark.parametrize("with_ledger", [True, False])
def test_first_order_influence_by_hand(problem, with_ledger):
    whole = TensorRows(
        torch.cat([problem.forget.inputs, problem.retain.inputs]),
        torch.cat([problem.forget.labels, problem.retain.labels]),
    )
    gradient = mean_gradient(problem.model, whole, chunk_size=64)
    if with_ledger:  # then a sample of the retain rows will do
        some = TensorRows(problem.retain.inputs[:5], problem.retain.labels[:5])
        ledger = Ledger(gradient, model_digest="m", dataset="d@1")
        problem = replace(problem, retain=some, ledger=ledger)
    state = unlearn(problem, UnlearningConfig(method="first_order_influence", step_size=0.5))
    model, forget = problem.model, problem.forget
    slope = softmax_linear_gradient(model.weight, model.bias, forget.inputs, forget.labels)
    for name, value in slope.items():
        expected = model.state_dict()[name] + 0.5 * 8 / 40 * value.float()
        torch.testing.assert_close(state[name], expected, rtol=1e-5, atol=1e-6)


def test_influence_with_conjugate_gradients_solves_its_system(problem):
    rule = CurvatureConfig(iterations=60, damping=0.05, scale=0.3)
    state = unlearn(problem, UnlearningConfig(method="influence_cg", curvature=rule))
    way = {
        name: (state[name] - value.detach()) / 0.3
        for name, value in problem.model.named_parameters()
    }
    bent = gauss_newton(problem.model, problem.retain, chunk_size=64)(way)
    right = mean_gradient(problem.model, problem.forget, chunk_size=64).values
    for name, value in right.items():
        torch.testing.assert_close(
            (bent[name] + 0.05 * way[name]).double(), value, rtol=1e-3, atol=1e-4
        )

from dataclasses import replace

import pytest
import torch

from tests.oracles import softmax_linear_gradient
from unlearning.config.method_configs import CurvatureConfig
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.curvature.curvature import gauss_newton
from unlearning.methods.catalog import unlearn
from unlearning.methods.gradient_ledger import Ledger
from unlearning.model.gradients import mean_gradient
from unlearning.model.rows import TensorRows


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

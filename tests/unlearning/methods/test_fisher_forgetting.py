from dataclasses import replace

import torch

from unlearning.config.method_configs import CurvatureConfig
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.curvature.curvature import fisher_diagonal
from unlearning.methods.catalog import unlearn


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

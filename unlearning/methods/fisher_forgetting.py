"""Fisher forgetting: noise on the weights that the retain rows do not need."""

import torch
from torch import Tensor

from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.curvature.curvature import fisher_diagonal
from unlearning.methods.problem import UnlearningProblem, model_state
from unlearning.model.rows import random_rows


def fisher_forgetting_method(
    problem: UnlearningProblem, config: UnlearningConfig
) -> dict[str, Tensor]:
    """Theta + min(s F^(-1/4), limit) e with e ~ N(0, I), F the Fisher diagonal of the retain rows.

    s = `curvature.noise`, limit = `curvature.noise_limit`. Source: Golatkar et al. 2020, arXiv
    1911.04933, whose optimal noise has a covariance that goes as F^(-1/2); the limit on a weight
    that no row needs is our choice. Cost: one pass over
    `curvature.rows` retain rows, row by row; the forget rows are never read.
    """
    rule, state = config.curvature, model_state(problem.model)
    random = torch.Generator().manual_seed(config.seed)
    rows = random_rows(problem.retain, rule.rows, config.seed)
    fisher = fisher_diagonal(problem.model, rows, device=problem.device)
    for name, importance in fisher.items():
        spread = (rule.noise * importance.cpu().pow(-0.25)).clamp(max=rule.noise_limit)
        noise = torch.randn(importance.shape, generator=random, dtype=torch.double)
        state[name] = state[name] + (spread * noise).to(state[name])
    return state

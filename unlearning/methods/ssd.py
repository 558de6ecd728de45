"""Selective synaptic dampening: shrink the weights that forget rows need far more than others."""

from torch import Tensor

from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.curvature.curvature import fisher_diagonal
from unlearning.methods.problem import UnlearningProblem, model_state
from unlearning.model.rows import random_rows


def ssd_method(problem: UnlearningProblem, config: UnlearningConfig) -> dict[str, Tensor]:
    """The state in which theta_k is scaled by min(lambda I_k / F_k, 1) wherever F_k > alpha I_k.

    F and I are the Fisher diagonals of the forget rows and of all rows, here forget and retain rows
    as given, weighted by their numbers; alpha = `curvature.selection`, lambda =
    `curvature.dampening`. Source: Foster et al. 2024, arXiv 2308.07707. Cost: one pass over the
    forget rows and `curvature.rows` retain rows, row by row. Deterministic.
    """
    rule, state = config.curvature, model_state(problem.model)
    sample = random_rows(problem.retain, rule.rows, config.seed)
    forget, retain = (
        fisher_diagonal(problem.model, rows, device=problem.device)
        for rows in (problem.forget, sample)
    )
    share = problem.forget.count / (problem.forget.count + problem.retain.count)
    for name, needed in forget.items():
        usual = share * needed + (1 - share) * retain[name]
        factor = (rule.dampening * usual / needed.clamp(min=1e-300)).clamp(max=1.0)
        factor = factor.where(needed > rule.selection * usual, 1.0).to(state[name])
        state[name] = state[name] * factor
    return state

"""Influence updates: the step to the retrained model in first and in second order.

Symbols: n_f, n_r rows to forget, to retain; L_f their mean loss; g its gradient at theta; G the
generalised Gauss-Newton matrix of the mean loss over retain rows.
"""

from torch import Tensor

from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.curvature.curvature import conjugate_gradients, gauss_newton
from unlearning.methods.problem import UnlearningProblem, model_state
from unlearning.model.gradients import Gradient, mean_gradient
from unlearning.model.rows import random_rows


def first_order_influence_method(
    problem: UnlearningProblem, config: UnlearningConfig
) -> dict[str, Tensor]:
    """Theta + eta (n_f / n_r) g, the identity in place of the inverse Hessian; eta = `step_size`.

    Source: the first-order update of Warnecke et al. 2023, arXiv 2108.11577. Cost: one pass over
    the forget rows.
    """
    gradient = _forget_gradient(problem, config)
    whole = problem.ledger.gradient.row_count if problem.ledger else None
    retained = problem.retain.count if whole is None else whole - gradient.row_count
    return _moved(problem, gradient.values, config.step_size * gradient.row_count / retained)


def influence_cg_method(problem: UnlearningProblem, config: UnlearningConfig) -> dict[str, Tensor]:
    """Theta + s (G + lambda I)^-1 g by conjugate gradients, on a sample of the retain rows.

    Source: Koh and Liang 2017, arXiv 1703.04730, with Martens' damped Gauss-Newton matrix in place
    of the Hessian, which need not be positive. Influence functions have s = n_f / n_r; here it is
    `curvature.scale` (our choice: a full step of a damped, sampled inverse leaves the region where
    it holds). Cost: one pass over the forget rows, and `curvature.iterations` products over
    `curvature.rows` retain rows, each three backward passes.
    """
    rule = config.curvature
    gradient = _forget_gradient(problem, config).values
    some = random_rows(problem.retain, rule.rows, config.seed)
    product = gauss_newton(problem.model, some, chunk_size=config.chunk_size, device=problem.device)
    state = dict(problem.model.named_parameters())
    right = {name: value.to(problem.device, state[name].dtype) for name, value in gradient.items()}
    way = conjugate_gradients(product, right, iterations=rule.iterations, damping=rule.damping)
    return _moved(problem, way, rule.scale)


def _forget_gradient(problem: UnlearningProblem, config: UnlearningConfig) -> Gradient:
    return mean_gradient(
        problem.model, problem.forget, chunk_size=config.chunk_size, device=problem.device
    )


def _moved(problem: UnlearningProblem, way: dict[str, Tensor], length: float) -> dict[str, Tensor]:
    state = model_state(problem.model)
    moved = {name: state[name] + length * value.to(state[name]) for name, value in way.items()}
    return state | moved

"""Influence Approximation Unlearning (IAU, arXiv 2507.23257): its direction and its two steps.

Several ranks may share the passes, each with its own part of the rows; all get the same state.

The paper's modules are `incremental_approximation`, `gradient_correction` and, at training time,
gradient restriction (`unlearning.training.training.restricted_loss`).

Symbols:
    θ          parameters of the original model          θ'   parameters of the unlearned model
    n          rows the original was trained on          n_f, n_r   rows to forget, to retain
    ∇L_f, ∇L_r mean loss gradient over forget, retain    ∇L   mean loss gradient over all n rows
    g          the direction ∇L_r - ∇L_f                 eta  step size
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.errors import ModelError
from unlearning.methods.gradient_ledger import retain_gradient
from unlearning.methods.problem import UnlearningProblem, copied_state, model_tensors
from unlearning.model.distributed import shared_gradient
from unlearning.model.gradients import Gradient
from unlearning.model.rows import Rows

_ADAM_EPS = 1e-8


def incremental_approximation(forget: Gradient) -> dict[str, Tensor]:
    """The forget part of the direction, -∇L_f.

    IAU paper: removing a row acts, to first order, like adding an opposite row whose gradient is
    -∇l. Adding a row needs no Hessian, only a gradient.
    """
    return {name: -value for name, value in forget.values.items()}


def gradient_correction(retain: Gradient) -> dict[str, Tensor]:
    """The retain part of the direction, +∇L_r.

    IAU paper: the rows that stay are learned in the same step, against over-forgetting.
    """
    return dict(retain.values)


def direction(retain: Gradient, forget: Gradient) -> dict[str, Tensor]:
    """The update direction g = ∇L_r - ∇L_f; a step goes against it.

    Both means have weight one, as in the published script: g says where to go and not how
    far. How the size of the request enters is the step's affair.

    Raises:
        ModelError: the two gradients name different parameters.
    """
    correction, approximation = gradient_correction(retain), incremental_approximation(forget)
    if correction.keys() != approximation.keys():
        raise ModelError(
            f"The retain gradient has {len(correction)} parameters and the forget gradient "
            f"{len(approximation)}, or other names; take both from the same model."
        )
    return {name: approximation[name].add_(value) for name, value in correction.items()}


def theory_step(
    state: Mapping[str, Tensor],
    direction: Mapping[str, Tensor],
    *,
    step_size: float,
    forget_share: float,
) -> dict[str, Tensor]:
    """A new state, one plain gradient step along g: θ' = θ - eta (n_f / n) g.

    The weight n_f / n is our choice; the paper leaves the scale to eta. Reason: since
    n ∇L = n_r ∇L_r + n_f ∇L_f, we have (n_f / n) g = ∇L_r - ∇L exactly, which is how the deletion
    changes the training gradient. So the step is the influence update θ - H^-1 (∇L_r - ∇L) with
    eta in place of H^-1: nothing to forget moves nothing, and a quadratic loss with Hessian
    I / eta is retrained exactly.

    Args:
        state: Every parameter and buffer; those without a direction come back as copies.
        direction: g by parameter name.
        step_size: eta, above 0.
        forget_share: n_f / n, between 0 and 1.
    """
    moved = copied_state(state)
    for name, slope in direction.items():
        start = moved[name]
        shift = step_size * forget_share * slope.to(start.device, torch.float64)
        moved[name] = (start.double() - shift).to(start.dtype)
    return moved


def published_step(
    state: Mapping[str, Tensor], direction: Mapping[str, Tensor], *, learning_rate: float
) -> dict[str, Tensor]:
    """A new state, one step of a fresh Adam along g, as the published script does it.

    Formula: θ' = θ - lr g / (|g| + 1e-8), element by element: nearly lr * sign(g). Every weight
    moves about lr, however many rows are forgotten and however small g is; the paper's theory does
    not say so. It is the first step of `torch.optim.Adam` in closed form: the moments, corrected
    for their bias, are g and g^2.

    Args:
        state: Every parameter and buffer; those without a direction come back as copies.
        direction: g by parameter name.
        learning_rate: lr, above 0.
    """
    moved = copied_state(state)
    for name, slope in direction.items():
        way = slope.to(moved[name])
        moved[name].addcdiv_(way, way.abs().add_(_ADAM_EPS), value=-learning_rate)
    return moved


def published_method(problem: UnlearningProblem, config: UnlearningConfig) -> dict[str, Tensor]:
    """The new state after the script's step (see `published_step`).

    One pass over the forget rows with a ledger; without one, also one over the retain rows.
    """
    retain, forget = _gradients(problem, config)
    state = model_tensors(problem.model)
    return published_step(state, direction(retain, forget), learning_rate=config.learning_rate)


def theory_method(problem: UnlearningProblem, config: UnlearningConfig) -> dict[str, Tensor]:
    """The new state after the paper's plain step (see `theory_step`).

    One pass over the forget rows with a ledger; without one, also one over the retain rows.
    """
    retain, forget = _gradients(problem, config)
    return theory_step(
        model_tensors(problem.model),
        direction(retain, forget),
        step_size=config.step_size,
        forget_share=forget.row_count / (forget.row_count + retain.row_count),
    )


def _gradients(problem: UnlearningProblem, config: UnlearningConfig) -> tuple[Gradient, Gradient]:
    """The mean gradients over retain and forget, in this order."""

    def gradient_over(rows: Rows) -> Gradient:
        return shared_gradient(
            problem.model,
            rows,
            chunk_size=config.chunk_size,
            device=problem.device,
            precision=config.precision,
        )

    forget = gradient_over(problem.forget)
    if problem.ledger is not None:
        return retain_gradient(problem.ledger, forget), forget
    return gradient_over(problem.retain), forget

"""The two steps of IAU, with the gradient ledger or with a full pass over the retain set.

Several ranks may share the passes, each with its own part of the rows; all get the same state.
"""

from torch import Tensor

from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.methods.gradient_ledger import retain_gradient
from unlearning.methods.iau import direction, published_step, theory_step
from unlearning.methods.problem import UnlearningProblem, model_tensors
from unlearning.model.distributed import shared_gradient
from unlearning.model.gradients import Gradient
from unlearning.model.rows import Rows


def published_method(problem: UnlearningProblem, config: UnlearningConfig) -> dict[str, Tensor]:
    """The new state after the script's step (see `unlearning.methods.iau.published_step`).

    One pass over the forget rows with a ledger; without one, also one over the retain rows.
    """
    retain, forget = _gradients(problem, config)
    state = model_tensors(problem.model)
    return published_step(state, direction(retain, forget), learning_rate=config.learning_rate)


def theory_method(problem: UnlearningProblem, config: UnlearningConfig) -> dict[str, Tensor]:
    """The new state after the paper's plain step (see `unlearning.methods.iau.theory_step`).

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

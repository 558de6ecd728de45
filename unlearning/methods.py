"""The unlearning methods by name, and the one function that runs and checks them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from unlearning.calibrated import calibrated_update
from unlearning.config import UnlearningConfig
from unlearning.errors import DataError, DivergenceError, SettingsError, UnsupportedModelError
from unlearning.gradients import Gradient, is_finite, mean_gradient
from unlearning.iau import copied_state, direction, reference_step, theory_step
from unlearning.ledger import Ledger, retain_gradient
from unlearning.rows import Rows


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UnlearningProblem:
    """A model, the rows it shall forget, and what may be read to do so."""

    model: nn.Module
    """The original model; no method changes it."""
    forget: Rows
    """All rows to forget."""
    retain: Rows
    """With a ledger a sample of the retain set; without one the whole retain set."""
    holdout: Rows
    """Rows that the model was never trained on, or a sample of them."""
    ledger: Ledger | None = None
    """The gradient ledger of this very model (see `check_ledger`); None reads `retain` instead."""
    device: str = "cpu"
    """Where forward and backward passes run."""


Method = Callable[[UnlearningProblem, UnlearningConfig], dict[str, Tensor]]


def model_state(model: nn.Module) -> dict[str, Tensor]:
    """A copy of every parameter and persistent buffer, by name.

    Raises:
        UnsupportedModelError: a state entry is not a tensor.
    """
    state: dict[str, object] = dict(model.state_dict())
    tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
    if len(tensors) < len(state):
        raise UnsupportedModelError(
            "The model keeps state that is not a tensor; move it into buffers or attributes."
        )
    return copied_state(tensors)


def reference_method(problem: UnlearningProblem, config: UnlearningConfig) -> dict[str, Tensor]:
    """The new state after the public script's step (see `unlearning.iau.reference_step`).

    One pass over the forget rows with a ledger; without one, also one over the retain rows.
    """
    retain, forget = _gradients(problem, config)
    state = model_state(problem.model)
    return reference_step(state, direction(retain, forget), learning_rate=config.learning_rate)


def theory_method(problem: UnlearningProblem, config: UnlearningConfig) -> dict[str, Tensor]:
    """The new state after the paper's plain step (see `unlearning.iau.theory_step`).

    One pass over the forget rows with a ledger; without one, also one over the retain rows.
    """
    retain, forget = _gradients(problem, config)
    return theory_step(
        model_state(problem.model),
        direction(retain, forget),
        step_size=config.step_size,
        forget_share=forget.row_count / (forget.row_count + retain.row_count),
    )


def calibrated_method(problem: UnlearningProblem, config: UnlearningConfig) -> dict[str, Tensor]:
    """The new state after the calibrated update (see `unlearning.calibrated`); needs no ledger."""
    update = calibrated_update(
        problem.model,
        forget=problem.forget,
        retain=problem.retain,
        holdout=problem.holdout,
        config=config,
        device=problem.device,
    )
    return model_state(problem.model) | update


METHODS: dict[str, Method] = {
    "calibrated": calibrated_method,
    "reference_step": reference_method,
    "theory_step": theory_method,
}


def unlearn(problem: UnlearningProblem, config: UnlearningConfig) -> dict[str, Tensor]:
    """The unlearned model's state: every parameter and persistent buffer, in memory of its own.

    The original model is left bit for bit as it was. Same problem, configuration and device: same
    bits, on the CPU.

    Raises:
        SettingsError: no method has this name.
        DataError: a set is empty, or the forget set is not smaller than the ledger's rows.
        ModelError: the model cannot be unlearned so, or its ledger is stale.
        DivergenceError: a loss, gradient or new weight is not finite.
    """
    method = METHODS.get(config.method)
    if method is None:
        raise SettingsError(
            f"There is no method {config.method!r}; choose one of {', '.join(sorted(METHODS))}."
        )
    _check_problem(problem)
    state = _with_ties(problem.model, method(problem, config))
    if not is_finite(state):
        raise DivergenceError(
            f"The method {config.method!r} gave weights that are not finite; "
            "take a smaller step, or retrain the model."
        )
    return state


def _check_problem(problem: UnlearningProblem) -> None:
    sets = {"forget": problem.forget, "retain": problem.retain, "holdout": problem.holdout}
    for name, rows in sets.items():
        if rows.count < 1:
            raise DataError(f"The {name} set is empty; check the split that made it.")


def _gradients(problem: UnlearningProblem, config: UnlearningConfig) -> tuple[Gradient, Gradient]:
    """The mean gradients over retain and forget, in this order."""

    def gradient_over(rows: Rows) -> Gradient:
        return mean_gradient(
            problem.model, rows, chunk_size=config.chunk_size, device=problem.device
        )

    forget = gradient_over(problem.forget)
    if problem.ledger is not None:
        return retain_gradient(problem.ledger, forget), forget
    return gradient_over(problem.retain), forget


def _with_ties(model: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state in which every further name of a shared parameter has the first name's value."""
    first_names = {id(value): name for name, value in model.named_parameters()}
    every_name = model.named_parameters(remove_duplicate=False)
    ties = {name: state[first_names[id(value)]].clone() for name, value in every_name}
    return dict(state) | ties

"""The unlearning methods by name, and the one function that runs and checks them."""

from collections.abc import Mapping

from torch import Tensor, nn

from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.errors import DivergenceError, SettingsError, UnfitRowsError
from unlearning.methods.calibrated.update import calibrated_method
from unlearning.methods.fine_tune import fine_tune_method
from unlearning.methods.fisher_forgetting import fisher_forgetting_method
from unlearning.methods.gradient_ascent import gradient_ascent_method
from unlearning.methods.iau import published_method, theory_method
from unlearning.methods.influence import first_order_influence_method, influence_cg_method
from unlearning.methods.neggrad_plus import neggrad_plus_method
from unlearning.methods.problem import Method, UnlearningProblem
from unlearning.methods.retrain import retrain_method
from unlearning.methods.scrub import scrub_method
from unlearning.methods.ssd import ssd_method
from unlearning.model.distributed import rank_count, total_count
from unlearning.model.gradients import is_finite
from unlearning.model.state import in_own_types

METHODS: dict[str, Method] = {
    "calibrated": calibrated_method,
    "published_step": published_method,
    "theory_step": theory_method,
    "first_order_influence": first_order_influence_method,
    "influence_cg": influence_cg_method,
    "fine_tune": fine_tune_method,
    "gradient_ascent": gradient_ascent_method,
    "neggrad_plus": neggrad_plus_method,
    "scrub": scrub_method,
    "fisher_forgetting": fisher_forgetting_method,
    "ssd": ssd_method,
    "retrain": retrain_method,
}
GRADIENT_METHODS = frozenset({"published_step", "theory_step"})
"""Methods made of mean gradients alone: a ledger spares them the retain rows, and several ranks
can share their passes."""


def unlearn(problem: UnlearningProblem, config: UnlearningConfig) -> dict[str, Tensor]:
    """The unlearned model's state: every parameter and persistent buffer, in memory of its own.

    The original model is left bit for bit as it was. Same problem, configuration and device: same
    bits, on the CPU. Weights of half precision are moved in float32 and come back in their own
    type.

    Raises:
        SettingsError: no method has this name, or several ranks cannot share it.
        UnfitRowsError: a set is empty, or the forget set is not smaller than the ledger's rows.
        ModelError: the model cannot be unlearned so, or its ledger is stale.
        DivergenceError: a loss, gradient or new weight is not finite.
    """
    method = METHODS.get(config.method)
    if method is None:
        raise SettingsError(
            f"There is no method {config.method!r}; choose one of {', '.join(sorted(METHODS))}."
        )
    if rank_count() > 1 and config.method not in GRADIENT_METHODS:
        raise SettingsError(
            f"The method {config.method!r} cannot be shared by several ranks; run it in one "
            f"process, or choose one of {', '.join(sorted(GRADIENT_METHODS))}."
        )
    _check_problem(problem)
    state = in_own_types(method(problem, config), problem.model)
    state = _with_ties(problem.model, state)
    if not is_finite(state):
        raise DivergenceError(
            f"The method {config.method!r} gave weights that are not finite; "
            "take a smaller step, or retrain the model."
        )
    return state


def _check_problem(problem: UnlearningProblem) -> None:
    sets = {"forget": problem.forget, "retain": problem.retain, "holdout": problem.holdout}
    for name, rows in sets.items():
        if total_count(rows) < 1:
            raise UnfitRowsError(f"The {name} set is empty; check the split that made it.")


def _with_ties(model: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state in which every further name of a shared parameter has the first name's value."""
    first_names = {id(value): name for name, value in model.named_parameters()}
    every_name = model.named_parameters(remove_duplicate=False)
    firsts = {name: first_names[id(value)] for name, value in every_name}
    return dict(state) | {n: state[first].clone() for n, first in firsts.items() if n != first}

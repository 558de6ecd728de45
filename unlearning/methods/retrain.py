"""Exact unlearning: fresh weights, trained on the retain set alone."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# (torch 2.13 leaves some of its functions without types)

from collections.abc import Callable
from copy import deepcopy
from math import prod, sqrt
from typing import Any, cast

import torch
from torch import Tensor, fx, nn

from unlearning.config import TrainingConfig, UnlearningConfig
from unlearning.errors import UnsupportedModelError
from unlearning.forward import is_exported
from unlearning.methods.problem import UnlearningProblem, model_state
from unlearning.restriction import restricted_backward
from unlearning.rows import gather
from unlearning.training import batch_indices, train

_MODE_LAYERS = ("batch_norm", "dropout")


def retrain_method(problem: UnlearningProblem, config: UnlearningConfig) -> dict[str, Tensor]:
    """The state of a model of the same form, trained from new weights as `config.retraining` says.

    Frozen parameters stay. Exact if `retain` is the whole retain set: neither the forget rows nor
    the old weights have a part in the result. An exported model, which has no training mode, is
    trained in the form it has; that is the same unless its layers act otherwise in training.

    Raises:
        UnsupportedModelError: a layer cannot be made new, or an exported one needs training mode.
        DataError, DivergenceError: as `train`.
    """
    model = deepcopy(problem.model)
    # A copy of an exported model no longer says that it is one.
    if is_exported(problem.model):
        _train_exported(model, problem, config.retraining)
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.retraining.seed)
            _renew_layers(model)
        _restore_frozen(model, problem.model)
        train(model, problem.retain, config.retraining, device=problem.device)
    return {name: value.cpu() for name, value in model_state(model).items()}


def _renew_layers(model: nn.Module) -> None:
    for name, layer in model.named_modules():
        renew = cast("Callable[[], None] | None", getattr(layer, "reset_parameters", None))
        if renew is not None:
            renew()
        elif list(layer.parameters(recurse=False)):
            raise UnsupportedModelError(
                f"The layer {name or type(layer).__name__!r} has weights of its own and no "
                "reset_parameters(); give it one that sets them anew."
            )


def _restore_frozen(model: nn.Module, original: nn.Module) -> None:
    """A frozen part came from elsewhere and never learned from these rows."""
    with torch.no_grad():
        for value, before in zip(model.parameters(), original.parameters(), strict=True):
            if not before.requires_grad:
                value.copy_(before)


def _train_exported(model: nn.Module, problem: UnlearningProblem, config: TrainingConfig) -> None:
    _refuse_mode_layers(cast("fx.GraphModule", model))
    _renew_tensors(model, torch.Generator().manual_seed(config.seed))
    model.to(problem.device)
    held = gather(problem.retain)
    inputs, labels = held.inputs.to(problem.device), held.labels.to(problem.device)
    optimiser: Any = torch.optim.Adam(
        dict(model.named_parameters()).values(), lr=config.learning_rate
    )
    shuffler = torch.Generator().manual_seed(config.seed)
    with torch.enable_grad():
        for _ in range(config.epochs):
            for batch in batch_indices(held.count, config.batch_size, shuffler):
                optimiser.zero_grad()
                restricted_backward(model, inputs[batch], labels[batch], config)
                optimiser.step()


def _refuse_mode_layers(model: fx.GraphModule) -> None:
    for node in model.graph.nodes:
        found = next((name for name in _MODE_LAYERS if name in str(node.target)), None)
        if node.op == "call_function" and found is not None:
            raise UnsupportedModelError(
                f"The model was exported with {found.replace('_', ' ')}, whose training mode is "
                "lost; register it in pickled form, or retrain it yourself."
            )


def _renew_tensors(model: nn.Module, random: torch.Generator) -> None:
    """Torch's own first values of linear and convolutional layers: uniform, by the fan-in."""
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name, value in parameters.items():
            weight = parameters.get(name.rpartition(".")[0] + ".weight", value)
            if weight.ndim < 2:  # noqa: PLR2004 - a scale or shift of a norm
                raise UnsupportedModelError(
                    f"The exported model's parameter {name!r} belongs to no linear or "
                    "convolutional layer; register the model in pickled form."
                )
            bound = 1 / sqrt(prod(weight.shape[1:]))
            fresh = (2 * torch.rand(value.shape, generator=random) - 1) * bound
            value.copy_(fresh).requires_grad_()

"""Exact unlearning: fresh weights, trained on the retain set alone."""

from collections.abc import Iterator, Mapping
from math import nan, prod, sqrt
from typing import cast

import torch
from torch import Tensor, fx, nn

from unlearning.config.training_config import TrainingConfig
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.errors import UnsupportedModelError, is_out_of_memory
from unlearning.methods.problem import UnlearningProblem, model_state
from unlearning.model.adapted import Adapted, inner_of
from unlearning.model.forward import fixed_mode, is_exported, model_copy, trainable_names
from unlearning.model.opaque import NO_RETRAIN, is_opaque
from unlearning.model.randomness import seeded
from unlearning.model.rows import Rows, gather
from unlearning.model.state import in_own_types, widened
from unlearning.model.transformers_models import is_of_transformers
from unlearning.training.checkpoints import Checkpoints
from unlearning.training.training import fit, train

_MODE_LAYERS = ("batch_norm", "dropout")


def retrain_method(problem: UnlearningProblem, config: UnlearningConfig) -> dict[str, Tensor]:
    """The state of a model of the same form, trained from new weights as `config.retraining` says.

    Frozen parameters stay, and constants in buffers. Exact if `retain` is the whole retain set:
    neither the forget rows nor the old weights have a part in the result. An exported model, which
    has no training mode, is trained in the form it has; that is the same unless its layers act
    otherwise in training.

    Raises:
        UnsupportedModelError: a layer cannot be made new, or an exported one needs training mode;
            after the training: it changed a buffer that no layer makes new.
        DataError, DivergenceError: as `train`.
    """
    return trained_anew(
        problem.model,
        problem.retain,
        config.retraining,
        device=problem.device,
        checkpoints=problem.checkpoints,
    )


def trained_anew(
    original: nn.Module,
    rows: Rows,
    config: TrainingConfig,
    *,
    device: str,
    checkpoints: Checkpoints | None = None,
) -> dict[str, Tensor]:
    """The state of a model of the original's form, trained on these rows alone, on the CPU.

    Raises as `retrain_method`.
    """
    if obstacle := _owners_obstacle(original):
        raise UnsupportedModelError(obstacle)
    model = model_copy(original)
    _widen(model)
    # A copy of an exported model no longer says that it is one.
    if is_exported(original):
        _train_exported(model, rows, config, device, checkpoints)
    else:
        with seeded(config.seed):
            kept = _renew_layers(model)
        _restore_frozen(model, original)
        train(model, rows, config, device=device, checkpoints=checkpoints)
        _refuse_learned(model, kept)
    return {n: value.cpu() for n, value in in_own_types(model_state(model), original).items()}


def _widen(model: nn.Module) -> None:
    """Steps are often below what half precision can tell from nothing."""
    for value in (*model.parameters(), *model.buffers()):
        value.data = widened(value.data)


def retrain_obstacle(model: nn.Module) -> str:
    """Why the model cannot be trained anew, in one sentence; empty if it can."""
    if obstacle := _owners_obstacle(model):
        return obstacle
    copy = model_copy(model)
    try:
        if is_exported(model):
            _refuse_mode_layers(cast("fx.GraphModule", inner_of(copy)))
            _renew_tensors(copy, torch.Generator())
        else:
            trainable_names(model)
            with fixed_mode(model), seeded(0):
                _renew_layers(copy)
    except UnsupportedModelError as error:
        return str(error)
    return ""


def _owners_obstacle(model: nn.Module) -> str:
    if is_opaque(model):
        return NO_RETRAIN
    if isinstance(model, Adapted) and model.interface.answers_with_number:
        return (
            "Only its owner knows which error a model of numbers was trained to make small; enrol "
            "it with a recipe."
        )
    is_whole = all(value.requires_grad for value in model.parameters())
    if is_whole and is_of_transformers(model):
        return (
            "What it knew before it was tuned is in none of its files, and fresh weights would "
            "lack it; enrol it with a recipe."
        )
    return ""


def _renew_layers(model: nn.Module) -> dict[str, Tensor]:
    """Make all layers new; the buffers that none of them set, by name."""
    buffers = {
        name: value
        for name, value in model.named_buffers()
        if value.is_floating_point() and value.is_contiguous()
    }
    before = {name: value.clone() for name, value in buffers.items()}
    with torch.no_grad():
        for value in (*_free(model), *buffers.values()):
            value.fill_(nan)  # whatever keeps it was not made new
    for name, layer in _layers(model):
        try:
            _renew(layer)
        except Exception as error:
            if is_out_of_memory(error):
                raise
            raise UnsupportedModelError(
                f"The layer {name!r} cannot be made new ({type(error).__name__}); give it a "
                "reset_parameters() that does not read its weights."
            ) from error
    for name, layer in _layers(model):
        if any(bool(value.isnan().any()) for value in _free(layer, recurse=False)):
            raise UnsupportedModelError(
                f"The layer {name!r} has weights of its own that no reset_parameters() sets; give "
                "it one that sets all of them anew."
            )
    kept = {name: value for name, value in before.items() if bool(buffers[name].isnan().any())}
    with torch.no_grad():
        for name, value in kept.items():
            buffers[name].copy_(value)
    return kept


def _layers(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for name, layer in cast("Iterator[tuple[str, nn.Module]]", inner_of(model).named_modules()):
        yield name or type(layer).__name__, layer


def _renew(layer: nn.Module) -> None:
    # torch 2.13 has no public name for it in attention
    names = ["_reset_parameters"] if isinstance(layer, nn.MultiheadAttention) else []
    for name in (*names, "reset_parameters"):
        renew = getattr(layer, name, None)
        if renew is not None:
            renew()


def _refuse_learned(model: nn.Module, kept: Mapping[str, Tensor]) -> None:
    """A buffer that training changes and no layer resets has learned from rows forgotten since."""
    now = {name: value.cpu() for name, value in model.named_buffers()}
    for name, value in kept.items():
        if not torch.allclose(now[name], value.cpu(), rtol=0, atol=0, equal_nan=True):
            raise UnsupportedModelError(
                f"Training changes the buffer {name!r}, which no reset_parameters() sets anew, so "
                "that the old one would live on; give its layer one that does."
            )


def _free(layer: nn.Module, *, recurse: bool = True) -> list[Tensor]:
    return [value for value in layer.parameters(recurse=recurse) if value.requires_grad]


def _restore_frozen(model: nn.Module, original: nn.Module) -> None:
    """A frozen part came from elsewhere and never learned from these rows."""
    with torch.no_grad():
        for value, before in zip(model.parameters(), original.parameters(), strict=True):
            if not before.requires_grad:
                value.copy_(before)


def _train_exported(
    model: nn.Module,
    rows: Rows,
    config: TrainingConfig,
    device: str,
    checkpoints: Checkpoints | None,
) -> None:
    _refuse_mode_layers(cast("fx.GraphModule", inner_of(model)))
    _renew_tensors(model, torch.Generator().manual_seed(config.seed))
    model.to(device)
    whole = gather(rows)
    inputs, labels = whole.inputs.to(device), whole.labels.to(device)
    fit(model, inputs, labels, config, checkpoints=checkpoints)


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

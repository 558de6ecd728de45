"""Forward passes that leave the model exactly as it was: mode, buffers, parameters, gradients.

Letters: B rows in a chunk, C classes.
"""

import warnings
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, cast

import torch
from torch import Tensor, fx, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from unlearning.config.unlearning_config import Precision
from unlearning.errors import ExpungeError, UnfitRowsError, UnsupportedModelError
from unlearning.model.adapted import inner_of

SCORE_AXES = 2  # rows, classes


def is_exported(model: nn.Module) -> bool:
    """Whether the model comes from `torch.export`, so that its mode is baked in."""
    # torch 2.13 has no public mark: it hangs methods that refuse on the one exported object.
    model = inner_of(model)
    return isinstance(model, fx.GraphModule) and (
        getattr(model.train, "__func__", None) is not nn.Module.train
    )


def model_copy(model: nn.Module) -> nn.Module:
    """A copy of the model in memory of its own; of an exported one it no longer says that it is."""
    with warnings.catch_warnings():
        # torch deprecates what its own exported models use when they are copied.
        warnings.simplefilter("ignore", FutureWarning)
        return deepcopy(model)


@contextmanager
def fixed_mode(model: nn.Module) -> Generator[None]:
    """A block in which the model is in evaluation mode; each layer's own mode comes back after it.

    Only the flags of the layers are set, because a layer's own `train()` may rewrite weights.
    An exported module passes through untouched.

    Raises:
        UnsupportedModelError: the model was exported in training mode, is compiled by torch.jit or
            spread over devices.
    """
    model = inner_of(model)
    modes = [] if is_exported(model) else [(layer, layer.training) for layer in model.modules()]
    for layer in model.modules():
        _refuse_baked_training(layer)
        _refuse_sealed(layer)
    try:
        for layer, _ in modes:
            layer.training = False
        yield
    finally:
        for layer, mode in modes:
            layer.training = mode


def autocast(device: str, precision: Precision) -> torch.autocast:
    """A block in this precision, whatever the caller set; float32 casts nothing."""
    kind = torch.device(device).type
    return torch.autocast(kind, dtype=torch.bfloat16, enabled=precision == "bfloat16")


@contextmanager
def twice_differentiable() -> Generator[None]:
    """A block in which gradients may be differentiated again: attention is done step by step.

    Raises:
        UnsupportedModelError: a layer has no second derivative.
    """
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    except RuntimeError as error:
        if "derivative for" not in str(error):
            raise
        raise UnsupportedModelError(
            "A layer of the model has no second derivative; choose a method that needs none, such "
            "as calibrated or retrain, and train with finite differences."
        ) from error


def trainable_names(model: nn.Module) -> list[str]:
    """Names of the parameters that training moved; for an exported module, of all real numbers.

    Raises:
        UnsupportedModelError: there are none, some are complex, or a layer gives sparse gradients.
    """
    for name, layer in cast("Iterator[tuple[str, nn.Module]]", inner_of(model).named_modules()):
        if _is_sparse(layer):
            raise UnsupportedModelError(
                f"The model gives sparse gradients{name and f' in the layer {name}'}; make the "
                "embedding with sparse=False, which changes no score, and register it again."
            )
    is_free = is_exported(model)
    if any(value.is_complex() and (is_free or value.requires_grad) for value in model.parameters()):
        raise UnsupportedModelError(
            "The model has complex parameters, which no update is made for; hold their real and "
            "imaginary parts as parameters of their own, and register it again."
        )
    names = [
        name
        for name, value in model.named_parameters()
        if value.requires_grad or (is_free and value.is_floating_point())
    ]
    if not names:
        raise UnsupportedModelError(
            "The model has no trainable parameter; unfreeze the layers that saw the forget rows."
        )
    return names


def logits(model: nn.Module, state: Mapping[str, Tensor], inputs: Tensor, labels: Tensor) -> Tensor:
    """Class scores [B, C] of the model with the given state, checked against the labels [B].

    Raises:
        UnsupportedModelError: the model does not take rows of this form, or does not give one
            floating-point score [B, C] per class.
        UnfitRowsError: a label is not a class of the model, or a number in a row is none of its
            words.
    """
    scores = _scores(model, state, inputs)
    if isinstance(scores, Tensor):
        scores = two_class_scores(scores)
    if (
        not isinstance(scores, Tensor)
        or scores.ndim != SCORE_AXES
        or not scores.is_floating_point()
    ):
        raise UnsupportedModelError(
            "The model does not return one tensor of class scores [rows, classes]; "
            "wrap it in a module that does."
        )
    if scores.shape[0] != labels.shape[0]:
        raise UnsupportedModelError(
            f"The model gave {scores.shape[0]} score rows for {labels.shape[0]} inputs; "
            "wrap it in a module that keeps the row dimension."
        )
    check_classes(labels, scores.shape[1])
    return scores


def _scores(model: nn.Module, state: Mapping[str, Tensor], inputs: Tensor) -> Any:
    try:
        return functional_call(model, dict(state), (inputs,))
    except IndexError as error:
        raise UnfitRowsError(
            "A row holds a number for which the model has no entry, such as a word it does not "
            "know; check the columns of whole numbers and their encoding."
        ) from error
    except ExpungeError:
        raise
    except (TypeError, ValueError, AssertionError, KeyError) as error:
        # No RuntimeError: most are the machine's, which must not cost a model its alias.
        raise UnsupportedModelError(
            f"The model fails on rows of shape {list(inputs.shape)} ({type(error).__name__}); wrap "
            "it in a module that takes them, however many there are."
        ) from error


def two_class_scores(scores: Tensor) -> Tensor:
    """Scores [B, 2] of a binary model that gives one log-odds for each row, [B, 1], [B] or [].

    With scores (0, z) the cross-entropy loss is exactly the binary cross-entropy of z. Scores of
    any other shape come back as they are.
    """
    if scores.ndim <= 1 or (scores.ndim == SCORE_AXES and scores.shape[1] == 1):
        odds = scores.reshape(-1)
        return torch.stack([torch.zeros_like(odds), odds], dim=1)
    return scores


def check_classes(labels: Tensor, class_count: int) -> None:
    """Nothing, if every label is a class from 0 to `class_count` - 1.

    Torch alone would not do: its loss passes over rows labelled -100 in silence.

    Raises:
        UnfitRowsError: at least one is not.
    """
    lowest, highest = int(labels.min()), int(labels.max())
    if lowest < 0 or highest >= class_count:
        raise UnfitRowsError(
            f"The labels run from {lowest} to {highest} and the model has {class_count} "
            "classes; check the label column and its encoding."
        )


def _refuse_baked_training(layer: nn.Module) -> None:
    if not isinstance(layer, fx.GraphModule) or not is_exported(layer):
        return
    # As dropout and batch norm have.
    if any(_is_set(node, "train", "training") for node in layer.graph.nodes):
        raise UnsupportedModelError(
            "The model was exported in training mode, so dropout or batch statistics stay active; "
            "call eval() on it before torch.export."
        )


def _refuse_sealed(layer: nn.Module) -> None:
    if isinstance(layer, torch.jit.ScriptModule):
        kind = "is compiled by torch.jit"
    elif isinstance(layer, nn.DataParallel | nn.parallel.DistributedDataParallel):
        kind = "is spread over devices"
    else:
        return
    raise UnsupportedModelError(
        f"The model {kind}, so its weights cannot be replaced; register the module inside, or an "
        "export of it by torch.export."
    )


def _is_sparse(layer: nn.Module) -> bool:
    """Whether the layer's gradients are sparse tensors, which no update is made for."""
    if isinstance(layer, fx.GraphModule):
        return any(_is_set(node, "sparse") for node in layer.graph.nodes)
    is_embedding = isinstance(layer, nn.Embedding | nn.EmbeddingBag)
    return is_embedding and layer.sparse and layer.weight.requires_grad


def _is_set(node: fx.Node, *options: str) -> bool:
    """Whether an operator of an exported model was recorded with one of these options on."""
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return False
    names = [argument.name for argument in schema.arguments]
    arguments = dict(zip(names, node.args, strict=False)) | dict(node.kwargs)
    return any(arguments.get(name) is True for name in options)

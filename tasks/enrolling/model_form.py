"""Whether a model has the form that later steps need: inputs, scores, state, gradients."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from tasks.enrolling.libraries import opaque_errors
from tasks.journal.events.enrollment import Loss
from unlearning.errors import DivergenceError, ExpungeError, UnsupportedModelError, is_out_of_memory
from unlearning.methods.problem import model_tensors
from unlearning.model.forward import fixed_mode, is_exported, trainable_names
from unlearning.model.gradients import mean_gradient
from unlearning.model.opaque import opaque_in
from unlearning.model.rows import TensorRows

_GRADIENT_ROWS = 8


def check_form(module: nn.Module, sample: TensorRows, model: str, loss: Loss) -> None:
    """Refuse a model that could not be unlearned or judged later, for whatever is in its form.

    Cost: a forward pass over the sample, and one gradient over a few of its rows.

    Raises:
        UnsupportedModelError: it could not, and the text says why.
        UnfitRowsError: a label is none of its classes.
    """
    for error in form_errors(module, sample, model, loss):
        raise error


def form_errors(
    module: nn.Module, sample: TensorRows, model: str, loss: Loss
) -> Iterator[ExpungeError]:
    """Everything for which `check_form` refuses the model, as far as one can look past it."""
    if (opaque := opaque_in(module)) is not None:
        yield from opaque_errors(module, opaque.library, sample, model)
        return
    yield from _refusal(lambda: model_tensors(module))
    yield from _refusal(lambda: trainable_names(module))
    try:
        scores = _tensor_of(_scores(module, sample, model), model)
    except ExpungeError as error:
        yield error
        return
    shape = list(_refusal(lambda: _check_shape(scores, int(sample.labels.max()), model, loss)))
    yield from shape
    if scores.ndim:
        yield from _refusal(lambda: _check_meaning(sample, scores, model))
    if not shape:
        yield from _refusal(lambda: _check_gradient(module, sample, model))


def _refusal(part: Callable[[], object]) -> Iterator[ExpungeError]:
    try:
        part()
    except ExpungeError as error:
        yield error


def _scores(module: nn.Module, sample: TensorRows, model: str) -> Any:
    try:
        with fixed_mode(module), torch.no_grad():
            return module(sample.inputs)
    except ExpungeError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise UnsupportedModelError(_why_no_scores(module, sample.inputs, model)) from error


def _why_no_scores(module: nn.Module, inputs: Tensor, model: str) -> str:
    hint = ", and that it was exported with an example of at least two rows"
    return (
        f"{model} does not take inputs of shape {list(inputs.shape[1:])}, of float32 or whole "
        f"numbers; check --features and --shape{hint if is_exported(module) else ''}."
    )


def _tensor_of(scores: Any, model: str) -> Tensor:
    if isinstance(scores, Tensor) and scores.is_floating_point():
        return scores
    kind = str(scores.dtype) if isinstance(scores, Tensor) else type(scores).__name__
    raise UnsupportedModelError(
        f"{model} gives {kind.removeprefix('torch.')} in place of one tensor of scores; let it "
        "return them alone or under the name logits, as floating-point numbers, and log it again."
    )


def _check_shape(scores: Tensor, highest: int, model: str, loss: Loss) -> None:
    single = scores.ndim == 1 or scores.shape[1:] == (1,)
    if not scores.ndim or single != (loss == "binary_cross_entropy"):
        raise UnsupportedModelError(
            f"{model} gives scores of shape {list(scores.shape)}, which does not go with "
            f"the loss {loss}; change --loss, or wrap the model.",
            line=f"--loss {'binary_cross_entropy' if single else 'cross_entropy'}",
        )
    classes = 2 if single else scores.shape[-1]
    if scores.ndim > 2 or highest >= classes:  # noqa: PLR2004 - [N, C]
        raise UnsupportedModelError(
            f"{model} tells {classes} classes apart, but labels go up to {highest}; "
            "check --label, and that it gives one score per class."
        )


def _check_meaning(sample: TensorRows, scores: Tensor, model: str) -> None:
    """Scores must say something of a row."""
    rows = scores.reshape(len(scores), -1)
    if len(sample.inputs.unique(dim=0)) > 1 and bool((rows == rows[:1]).all()):
        raise UnsupportedModelError(
            f"{model} gives the same scores for every row of its table; register the model that "
            "was trained on it, or check --features and --scale."
        )


def _check_gradient(module: nn.Module, sample: TensorRows, model: str) -> None:
    few = TensorRows(sample.inputs[:_GRADIENT_ROWS], sample.labels[:_GRADIENT_ROWS])
    try:
        mean_gradient(module, few, chunk_size=_GRADIENT_ROWS)
    except DivergenceError:
        return  # of these rows or weights, not of the form
    except ExpungeError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise UnsupportedModelError(
            f"No gradient of {model} can be computed ({type(error).__name__}), and without one it "
            "cannot be unlearned; log it with layers that PyTorch differentiates."
        ) from error

"""How a model is to be asked and what its answer is, found out by asking it for a few rows."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.func import functional_call

from tasks.datasets.encoding import LARGEST_WHOLE
from unlearning.config.model_interface import PLAIN, LastLayer, ModelInput, ModelInterface
from unlearning.errors import is_out_of_memory
from unlearning.model.adapted import adapted
from unlearning.model.answers import place_of_scores
from unlearning.model.forward import SCORE_AXES, fixed_mode
from unlearning.model.state import forward_state

FIT_ROWS = 256
"""Rows that a model is tried on."""
_TRIED = 64
_AMPLIFIED = 1e3
"""Rows or weights this many times as large drive a log-odds out of [0, 1], and no probability."""


def recognised(module: nn.Module, inputs: Tensor, *, scores: bool = True) -> ModelInterface:
    """The interface by which the module answers these rows; plain where it answers none at all.

    Without `scores` it answers with a number, which is never a probability.

    Cost: a forward pass over 64 rows for each type of numbers that it does not take, and three over
    all rows where it may give probabilities.
    """
    for one in _candidates(module, inputs):
        answer = answered(adapted(module, one), inputs[:_TRIED])
        if answer is None:
            continue
        output = place_of_scores(answer)
        found = one if output is None else replace(one, output=output)
        layer = _last_layer(adapted(module, found), inputs, found) if scores else ""
        return replace(found, last_layer=layer)
    return PLAIN


def answered(
    module: nn.Module, inputs: Tensor, weights: Mapping[str, Tensor] | None = None
) -> object | None:
    """What it answers, be it with other weights; None if it does not take such rows."""
    try:
        with fixed_mode(module), torch.no_grad():
            return functional_call(module, dict(weights or {}), (inputs,))
    except Exception as error:
        if is_out_of_memory(error):
            raise
        return None


def are_whole(values: Tensor) -> bool:
    """Whether they are whole numbers that rows hold exactly."""
    return bool(((values == values.round()) & (values.abs() <= LARGEST_WHOLE)).all())


def _candidates(module: nn.Module, inputs: Tensor) -> Iterator[ModelInterface]:
    """Plain rows first, then the types of its own weights, then whole numbers."""
    yield PLAIN
    own = {value.dtype for value in module.parameters() if value.is_floating_point()}
    for kind in ("float64", "float16", "bfloat16"):
        if getattr(torch, kind) in own:
            yield ModelInterface(inputs=(ModelInput(kind=kind),))
    if are_whole(inputs):
        yield ModelInterface(inputs=(ModelInput(kind="int64"),))


def _last_layer(module: nn.Module, inputs: Tensor, found: ModelInterface) -> LastLayer:
    """What the model ends in, told from its scores: they add up to 1, or never leave [0, 1]."""
    scores = answered(module, inputs)
    if not isinstance(scores, Tensor) or not scores.is_floating_point() or not _is_within(scores):
        return ""
    rows = scores.reshape(len(inputs), -1).float()
    sums = rows.sum(dim=1)
    near = torch.allclose(sums, torch.ones_like(sums), atol=10 * _roundings(scores))
    if scores.ndim == SCORE_AXES and rows.shape[1] > 1 and near:
        return "softmax"
    kinds = [one.kind for one in found.inputs]
    return "sigmoid" if _stays_within(module, inputs, can_grow="int64" not in kinds) else ""


def _roundings(scores: Tensor) -> float:
    return torch.finfo(scores.dtype).eps


def _stays_within(module: nn.Module, inputs: Tensor, *, can_grow: bool) -> bool:
    """Whether the scores stay in [0, 1] for much larger rows and weights, of either sign."""
    signed = [sign * _AMPLIFIED for sign in (1, -1)]
    found = [answered(module, much * inputs) for much in signed if can_grow]
    weights = {
        name: value
        for name, value in forward_state(module, "cpu", wide=True).items()
        if value.is_floating_point()
    }
    names = dict(module.named_parameters()).keys()
    for much in signed:
        larger = {n: much * value if n in names else value for n, value in weights.items()}
        found.append(answered(module, inputs, larger))
    return all(_is_within(scores) for scores in found if isinstance(scores, Tensor))


def _is_within(scores: Tensor) -> bool:
    """Whether no score leaves [0, 1]; what is no number leaves nothing."""
    return not bool(((scores < 0) | (scores > 1)).any())

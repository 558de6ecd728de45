"""How a model is to be asked and what its answer is, found out by asking it for a few rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call

from tasks.datasets.preparations import LARGEST_WHOLE
from unlearning.config.model_interface import (
    PLAIN,
    LastLayer,
    ModelInput,
    ModelInterface,
    NumberKind,
)
from unlearning.errors import is_out_of_memory
from unlearning.model.adapted import adapted
from unlearning.model.answers import place_of_scores
from unlearning.model.forward import SCORE_AXES, fixed_mode
from unlearning.model.state import forward_state

FIT_ROWS = 256
"""Rows that a model is tried on."""
_TRIED, _MOST_TRIES = 64, 256
_OTHERS: tuple[NumberKind, ...] = ("float64", "float16", "bfloat16")
"""Types of numbers that a model may take because its weights have them."""
Stored = Literal["truth", "whole", "real"]
"""How a table has numbers: as booleans, as integers, or otherwise."""
_AMPLIFIED = 1e3
"""Rows or weights this many times as large drive a log-odds out of [0, 1], and no probability."""


@dataclass(frozen=True, slots=True)
class NamedRows:
    """What a table has for one argument of a model."""

    name: str
    cells: int
    """How many numbers of a row."""
    is_list: bool
    stored: Stored
    shape: tuple[int, ...] = ()
    """Of what is no list, and yet more than one number."""


def recognised(
    module: nn.Module, inputs: Tensor, *, named: Sequence[NamedRows] = (), scores: bool = True
) -> ModelInterface:
    """The interface by which the module answers these rows; plain where it answers none at all.

    Without `scores` it answers with a number, which is never a probability. A single number of an
    argument is tried as [N] and as [N, 1].

    Cost: a forward pass over 64 rows for each type of numbers that it does not take, at most 256,
    and three over all rows where it may give probabilities.
    """
    candidates = _combined(module, inputs, named) if named else _candidates(module, inputs)
    for one in islice(candidates, _MOST_TRIES):
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


def _combined(
    module: nn.Module, inputs: Tensor, named: Sequence[NamedRows]
) -> Iterator[ModelInterface]:
    """Every argument in the types and shapes that its columns suggest."""
    parts = inputs.flatten(1).split([one.cells for one in named], dim=1)
    own: list[NumberKind] = [kind for kind in _OTHERS if getattr(torch, kind) in _kinds_of(module)]
    options = [
        [
            ModelInput(name=one.name, cells=one.cells, kind=kind, shape=shape)
            for shape in _shapes(one)
            for kind in _kinds(one.stored, part, own)
        ]
        for one, part in zip(named, parts, strict=True)
    ]
    return (ModelInterface(inputs=found) for found in product(*options))


def _shapes(one: NamedRows) -> list[tuple[int, ...]]:
    if one.shape:
        return [one.shape]
    return [(), (1,)] if one.cells == 1 and not one.is_list else [(one.cells,)]


def _kinds(stored: Stored, part: Tensor, own: Sequence[NumberKind]) -> list[NumberKind]:
    """The types to try: first that in which the table has the numbers."""
    real: list[NumberKind] = ["float32", *own]
    whole: list[NumberKind] = ["int64"] if are_whole(part) else []
    if stored == "truth":
        return ["bool", *real, *whole]
    return [*whole, *real] if stored == "whole" else [*real, *whole]


def _kinds_of(module: nn.Module) -> set[torch.dtype]:
    return {value.dtype for value in module.parameters() if value.is_floating_point()}


def _candidates(module: nn.Module, inputs: Tensor) -> Iterator[ModelInterface]:
    """Plain rows first, then the types of its own weights, then whole numbers."""
    yield PLAIN
    for kind in _OTHERS:
        if getattr(torch, kind) in _kinds_of(module):
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
    can_grow = not any(one.kind in ("int64", "bool") for one in found.inputs)
    return "sigmoid" if _stays_within(module, inputs, can_grow=can_grow) else ""


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

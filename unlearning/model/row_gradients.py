"""The gradient of each row's margin for itself, all rows of a batch in one pass.

Letters: B rows, T places of a row at which a layer works (1, the tokens of a text, the pixels of an
image), O outputs and I inputs at each. Symbol: J_i the gradient of the margin of row i in a tensor.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from unlearning.errors import UnsupportedModelError, is_out_of_memory
from unlearning.model.adapted import inner_of
from unlearning.model.forward import two_class_scores
from unlearning.model.margins import margin
from unlearning.model.row_layers import Layer, row_layers, watched

_ROWS_AT_ONCE = 256

_BLOCK = 96
"""Rows whose inner products with those from them on are taken at once."""

MOST_PAIRS = 2**22
"""Pairs of places whose products are in memory at once."""

_Named = dict[str, Tensor]
_Seen = tuple[Tensor, _Named]


@dataclass(frozen=True, slots=True, eq=False)
class Outer:
    """Gradients of weights as sums of outer products: J_i = sum_t outputs_it inputs_it^T."""

    outputs: Tensor  # [B, T, O]
    inputs: Tensor  # [B, T, I]
    shape: torch.Size
    """Of the weights: O first, then what I is the product of."""

    def __len__(self) -> int:
        return len(self.outputs)

    def __getitem__(self, rows: slice) -> "Outer":
        return Outer(self.outputs[rows], self.inputs[rows], self.shape)


@dataclass(frozen=True, slots=True, eq=False)
class RowGradients:
    """The gradients of B rows, for each tensor as [B, ...] or as outer products."""

    parts: Sequence[Tensor | Outer]

    def tensors(self) -> Iterator[Tensor]:
        """All tensors that the gradients are kept in."""
        for part in self.parts:
            yield from (part.outputs, part.inputs) if isinstance(part, Outer) else (part,)

    def gram(self, *, most_pairs: int = MOST_PAIRS) -> Tensor:
        """The inner products <J_i, J_j> over all tensors, [B, B].

        Cost: B^2 T^2 (O + I) for outer products, B^2 O I for any other tensor; half for large B.
        Memory: products of `most_pairs` pairs of places, or of one row with all others.
        """
        return torch.stack([_gram(part, most_pairs) for part in self.parts]).sum(0)

    def combined(self, shares: Tensor) -> list[Tensor]:
        """sum_i shares_i J_i, tensor by tensor."""
        return [_combined(part, shares) for part in self.parts]


def _gram(part: Tensor | Outer, most_pairs: int) -> Tensor:
    """Block by block; below the blocks of the diagonal stands what stands above them."""
    count, size = len(part), _BLOCK
    if isinstance(part, Outer):
        size = min(size, max(1, most_pairs // (count * part.outputs.shape[1] ** 2)))
    first = part.inputs if isinstance(part, Outer) else part
    gram = first.new_empty(count, count)
    for start in range(0, count, size):
        found = _products(part[start : start + size], part[start:])
        gram[start : start + size, start:] = found
        gram[start:, start : start + size] = found.T
    return gram


def _products(one: Tensor | Outer, two: Tensor | Outer) -> Tensor:
    if isinstance(one, Outer) and isinstance(two, Outer):
        pairs = one.outputs.flatten(0, 1) @ two.outputs.flatten(0, 1).T
        pairs.mul_(one.inputs.flatten(0, 1) @ two.inputs.flatten(0, 1).T)
        places = one.outputs.shape[1]
        return pairs.reshape(len(one), places, len(two), places).sum((1, 3))
    assert isinstance(one, Tensor)
    assert isinstance(two, Tensor)
    return _flat(one) @ _flat(two).T


def _flat(rows: Tensor) -> Tensor:
    return rows.reshape(len(rows), rows[0].numel())


def _combined(part: Tensor | Outer, shares: Tensor) -> Tensor:
    if not isinstance(part, Outer):
        return cast("Any", torch).tensordot(shares, part, 1)  # torch leaves it without a type
    weighted = (shares.reshape(-1, 1, 1) * part.outputs).flatten(0, 1)
    return (weighted.T @ part.inputs.flatten(0, 1)).reshape(part.shape)


class RowPass:
    """The pass that gives the margins of a model and their gradients row by row.

    Where it takes fewer numbers, the gradient of a layer's weights is kept as what goes into the
    layer and what comes back to it (see `unlearning.model.row_layers`); of all other tensors each
    row has a gradient of its own.
    """

    numbers: int
    """Numbers that are kept for each row."""

    def __init__(
        self,
        model: nn.Module,
        state: Mapping[str, Tensor],
        names: Sequence[str],
        row: Tensor,
        *,
        chunk_size: int = _ROWS_AT_ONCE,
    ) -> None:
        """For the tensors `names` of the state; `row` is an example of the inputs, [1, ...]."""
        self._model, self._names = model, names
        self._size = min(chunk_size, _ROWS_AT_ONCE)
        self._layers: Mapping[str, Layer] = row_layers(model, state, names, row)
        self.numbers = sum(
            self._layers[name].numbers if name in self._layers else state[name].numel()
            for name in names
        )

    def __call__(
        self, state: Mapping[str, Tensor], inputs: Tensor, labels: Tensor
    ) -> tuple[Tensor, RowGradients]:
        """The margins [B] of the rows and their gradients.

        Right only for models that treat each row for itself, with a row dimension of one as of
        many: compare a few rows with a plain pass. Layers keep no tensor of it.

        Cost: a forward and a backward pass, at most 256 rows at once.

        Raises:
            UnsupportedModelError: a layer cannot give the gradient of a single row.
        """
        free = {n: state[n].detach() for n in self._names if n not in self._layers}
        fixed = {n: value.detach() for n, value in state.items() if n not in free}
        zeros = {name: layer.zeros for name, layer in self._layers.items()}
        modules = {name: layer.module for name, layer in self._layers.items()}

        def one(moved: tuple[_Named, _Named], row: Tensor, label: Tensor) -> tuple[Tensor, _Seen]:
            weights, shifts = moved
            with watched(modules, lambda name, _: shifts[name]) as inputs_of:
                scores = functional_call(self._model, {**fixed, **weights}, (row.unsqueeze(0),))
            value = margin(two_class_scores(scores), label.unsqueeze(0))[0]
            seen = {name: calls[0] for name, calls in inputs_of.items() if calls[0] is not None}
            return value, (value, seen)

        read = vmap(grad(one, has_aux=True), in_dims=(None, 0, 0))
        chunks = zip(torch.split(inputs, self._size), torch.split(labels, self._size), strict=True)
        with row_by_row(self._model):
            found = [read((free, zeros), *chunk) for chunk in chunks]

        def part(name: str) -> Tensor | Outer:
            if name not in self._layers:
                return _whole(free[name] for (free, _), _ in found)
            back = _whole(shifts[name].flatten(0, 1) for (_, shifts), _ in found)
            into = _whole(seen[name].flatten(0, 1) for _, (_, seen) in found)
            outputs, inputs = self._layers[name].factors(back, into)
            return Outer(outputs, inputs, state[name].shape)

        margins = _whole(value for _, (value, _) in found)
        return margins, RowGradients([part(name) for name in self._names])


def _whole(parts: Iterable[Tensor]) -> Tensor:
    return torch.cat(list(parts)).detach()


@contextmanager
def row_by_row(model: nn.Module) -> Generator[None]:
    """A block in which vmap takes the rows of a batch one by one, for the gradient of each.

    Layers keep no tensor of it in their attributes, nor in dicts and lists that are attributes.
    Not for two threads at once: it switches what torch does in the whole process.

    Raises:
        UnsupportedModelError: a layer cannot give the gradient of a single row.
    """
    # What has no batching rule is done row by row, and torch 2.13 warns of the time it takes: for
    # exported models past Python's own filter of warnings.
    inner: Any = torch._C  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    warn = inner._functorch._set_vmap_fallback_warning_enabled  # noqa: SLF001
    warn(False)
    try:
        # Attention step by step: torch 2.13 has no batching rule for the fast way.
        with _attributes_kept(model), sdpa_kernel(SDPBackend.MATH):
            yield
    except (RuntimeError, ValueError) as error:
        if is_out_of_memory(error):
            raise  # not a property of the model
        raise UnsupportedModelError(
            "A layer of the model cannot give the gradient of a single row; choose a method that "
            "needs none, such as calibrated or retrain."
        ) from error
    finally:
        warn(True)


@contextmanager
def _attributes_kept(model: nn.Module) -> Generator[None]:
    """A block after which the layers have the attributes that they had, and their dicts and lists.

    A layer may note its inputs. What it notes of rows one by one cannot even be copied.
    """
    attributes = [(layer.__dict__, dict(layer.__dict__)) for layer in inner_of(model).modules()]
    values = [value for _, known in attributes for value in known.values()]
    dicts = [cast("dict[str, Any]", value) for value in values if isinstance(value, dict)]
    lists = [cast("list[Any]", value) for value in values if isinstance(value, list)]
    named = [*attributes, *((value, dict(value)) for value in dicts)]
    listed = [(value, list(value)) for value in lists]
    try:
        yield
    finally:
        for now, before in named:
            for name in now.keys() - before.keys():
                del now[name]
            now.update(before)
        for now, before in listed:
            now[:] = before

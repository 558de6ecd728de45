"""Models behind an interface: rows in as they are read, class scores out, whatever lies between.

Letters: N rows, F numbers of one row.
"""

import inspect
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, cast

import torch
from torch import Tensor, fx, nn

from unlearning.config.model_interface import PLAIN, ModelInterface, NumberKind
from unlearning.model.answers import answer_at, class_scores, number_scores

_SINGLE_BITS = 32


class Adapted(nn.Module):
    """A model that takes rows and gives class scores through an interface.

    It has the parameters, buffers and layers of the model inside under their own names, so weights
    and digests are the same with and without it.

    A model of numbers reads rows [N, F + 1] whose last number is the label y. It answers with the
    scores (0, z), z = log(T² / (a - y)²), for its answer a and the tolerance T, and every row is of
    class 1: its loss is log(1 + (a - y)² / T²), that of a Cauchy error of scale T (our choice), and
    a row is right where a is less than T off. So whatever holds for classes holds for numbers.

    Probabilities come back as the scores that make them (see `unlearning.model.answers`).

    Raises:
        UnsupportedModelError: called, the model inside gives other answers than were recognised.
    """

    inner: nn.Module
    interface: ModelInterface

    def __init__(self, inner: nn.Module, interface: ModelInterface) -> None:
        super().__init__()
        # Not as attributes of a module: the model inside is this one, not a layer of it.
        self.__dict__["inner"] = inner
        self.__dict__["interface"] = interface
        for own in ("_parameters", "_buffers", "_modules", "_non_persistent_buffers_set"):
            self.__dict__[own] = inner.__dict__[own]

    def forward(self, rows: Tensor) -> Any:
        """Class scores of the rows, or whatever a model of classes gives."""
        found = self.interface
        if not found.answers_with_number:
            return class_scores(self._answers(rows), found.last_layer)
        inputs, numbers = rows[:, :-1], rows[:, -1]
        answers = self._answers(inputs.reshape(len(rows), *(found.shape or (-1,))))
        return number_scores(answers, numbers, found.tolerance)

    def _answers(self, rows: Tensor) -> Any:
        wanted = self.interface.inputs
        if not wanted:
            answer = self.inner(rows)
        elif not wanted[0].name:
            answer = self.inner(rows.to(self._kind(wanted[0].kind)))
        else:
            given = self._named(rows.flatten(1))
            if isinstance(self.inner, fx.GraphModule):  # which knows places alone
                answer = self.inner(*(given[name] for name in argument_names(self.inner)))
            else:
                answer = self.inner(**given)
        return answer_at(answer, self.interface.output)

    def _named(self, rows: Tensor) -> dict[str, Tensor]:
        """The arguments that the numbers [N, F] of rows make."""
        given: dict[str, Tensor] = {}
        start = 0
        for one in self.interface.inputs:
            part = rows[:, start : start + one.cells].reshape(len(rows), *one.shape)
            given[one.name] = part.to(self._kind(one.kind))
            start += one.cells
        return given

    def _kind(self, name: NumberKind) -> torch.dtype:
        """The type of an input; float32 while weights of half precision are in float32."""
        wanted = cast("torch.dtype", getattr(torch, name))
        is_half = wanted.is_floating_point and torch.finfo(wanted).bits < _SINGLE_BITS
        if is_half and not any(value.dtype == wanted for value in self.parameters()):
            return torch.float32
        return wanted

    def train(self, mode: bool = True) -> "Adapted":
        """Into training mode or out of it, with the model inside."""
        self.inner.train(mode)
        self.training = mode
        return self

    def state_dict(self, *arguments: Any, **options: Any) -> Any:
        """That of the model inside."""
        inner: Any = self.inner  # torch leaves this without types
        return inner.state_dict(*arguments, **options)

    def load_state_dict(self, state_dict: Mapping[str, Any], *rest: Any, **options: Any) -> Any:
        """Into the model inside."""
        return self.inner.load_state_dict(state_dict, *rest, **options)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Adapted":
        return Adapted(deepcopy(self.inner, memo), self.interface)


def adapted(model: nn.Module, interface: ModelInterface) -> nn.Module:
    """The model behind this interface; itself where the interface is plain."""
    return model if interface.is_plain else Adapted(model, interface)


def argument_names(model: nn.Module) -> list[str]:
    """The names of the tensors that a model takes, in its order."""
    inner = inner_of(model)
    if isinstance(inner, fx.GraphModule):
        return [str(node.target) for node in inner.graph.nodes if node.op == "placeholder"]
    return list(inspect.signature(inner.forward).parameters)


def interface_in(model: nn.Module | None) -> ModelInterface:
    """What the model lies behind."""
    return model.interface if isinstance(model, Adapted) else PLAIN


def inner_of(model: nn.Module) -> nn.Module:
    """The model as its owner made it."""
    while isinstance(model, Adapted):
        model = model.inner
    return model


def tolerance_of(model: nn.Module) -> float:
    """How far off an answer of the model may be and still be right; 0 if it names classes."""
    return model.interface.tolerance if isinstance(model, Adapted) else 0.0

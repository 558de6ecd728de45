"""Models behind an interface: rows in as they are read, class scores out, whatever lies between.

Letters: N rows, F numbers of one row.
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from unlearning.config.model_interface import ModelInterface
from unlearning.errors import UnsupportedModelError

_LEAST_SHARE = 1e-12
"""Least squared error, in tolerances, that two answers are told apart by: odds stay finite."""


class Adapted(nn.Module):
    """A model that takes rows and gives class scores through an interface.

    It has the parameters, buffers and layers of the model inside under their own names, so weights
    and digests are the same with and without it.

    A model of numbers reads rows [N, F + 1] whose last number is the label y. It answers with the
    scores (0, z), z = log(T² / (a - y)²), for its answer a and the tolerance T, and every row is of
    class 1: its loss is log(1 + (a - y)² / T²), that of a Cauchy error of scale T (our choice), and
    a row is right where a is less than T off. So whatever holds for classes holds for numbers.

    Raises:
        UnsupportedModelError: called, the model inside does not give one number for each row.
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
        if not self.interface.answers_with_number:
            return self.inner(rows)
        inputs, numbers = rows[:, :-1], rows[:, -1]
        answers = self.inner(inputs.reshape(len(rows), *(self.interface.shape or (-1,))))
        return number_scores(answers, numbers, self.interface.tolerance)

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


def inner_of(model: nn.Module) -> nn.Module:
    """The model as its owner made it."""
    while isinstance(model, Adapted):
        model = model.inner
    return model


def tolerance_of(model: nn.Module) -> float:
    """How far off an answer of the model may be and still be right; 0 if it names classes."""
    return model.interface.tolerance if isinstance(model, Adapted) else 0.0


def number_scores(answers: Any, numbers: Tensor, tolerance: float) -> Tensor:
    """Scores [N, 2] of answers to rows whose right answers are these numbers [N]; see `Adapted`.

    Raises:
        UnsupportedModelError: it is not one real number for each row.
    """
    is_real = isinstance(answers, Tensor) and answers.is_floating_point()
    if not is_real or answers.numel() != len(numbers):
        shape = list(answers.shape) if isinstance(answers, Tensor) else type(answers).__name__
        raise UnsupportedModelError(
            f"The model answers {len(numbers)} rows with {shape} in place of one number for each; "
            "wrap it in a module that does."
        )
    share = ((answers.reshape(-1) - numbers.to(answers.dtype)) / tolerance).square()
    odds = -share.clamp(min=_LEAST_SHARE).log()
    return torch.stack([torch.zeros_like(odds), odds], dim=1)

"""What a model answers, as class scores: out of a dict or tuple, from probabilities, from numbers.

Letters: N rows, C classes. Symbol: p a probability.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, cast

import torch
from torch import Tensor

from unlearning.config.model_interface import LastLayer
from unlearning.errors import UnsupportedModelError

_LEAST_SHARE = 1e-12
"""Least squared error, in tolerances, that two answers are told apart by: odds stay finite."""
_NAME = "logits"


def answer_at(answer: Any, name: str) -> Any:
    """The part of an answer under this name or at this place; all of it for the empty name.

    Raises:
        UnsupportedModelError: there is none.
    """
    if not name:
        return answer
    found = dict(_parts(answer)).get(name)
    if found is None:
        raise UnsupportedModelError(
            f"The model gives no {name!r}, where its scores stood when it was enrolled; enrol it "
            "again."
        )
    return found


def place_of_scores(answer: Any) -> str | None:
    """Where the scores stand in a model's answer, for `answer_at`; None if nobody can tell.

    Under `logits`, or where there is one tensor of real numbers alone.
    """
    if isinstance(answer, Tensor):
        return ""
    real = [n for n, v in _parts(answer) if isinstance(v, Tensor) and v.is_floating_point()]
    if _NAME in real:
        return _NAME
    return real[0] if len(real) == 1 else None


def _parts(answer: Any) -> Iterator[tuple[str, Any]]:
    """What a dict, a dataclass or a tuple holds, by name or place."""
    if isinstance(answer, Mapping):
        named = cast("Mapping[Any, Any]", answer)
        yield from ((str(name), value) for name, value in named.items())
    elif is_dataclass(answer) and not isinstance(answer, type):
        yield from ((one.name, getattr(answer, one.name)) for one in fields(answer))
    elif isinstance(answer, tuple | list):
        placed = cast("Sequence[Any]", answer)
        names = getattr(placed, "_fields", range(len(placed)))  # of a named tuple
        yield from zip(map(str, names), placed, strict=True)


def class_scores(answers: Any, last_layer: LastLayer) -> Any:
    """Scores that the last layer makes these probabilities of, [N, C], [N, 1] or [N].

    Formula: log p for a softmax, of which the softmax is p; log p - log(1 - p) for a sigmoid. p is
    kept a rounding away from 0, and for a sigmoid from 1: there its gradient is 0.
    """
    if not last_layer:
        return answers
    limits = torch.finfo(answers.dtype)
    if last_layer == "softmax":
        return answers.clamp(min=limits.tiny).log()
    p = answers.clamp(min=limits.tiny, max=1 - limits.eps / 2)
    return p.log() - torch.log1p(-p)


def number_scores(answers: Any, numbers: Tensor, tolerance: float) -> Tensor:
    """Scores [N, 2] of answers to rows whose right answers are these numbers [N].

    Formula: see `unlearning.model.adapted`.

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

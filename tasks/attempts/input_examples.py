"""The input example that a new version is logged with: never a row that was forgotten."""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import torch

from tasks.datasets.encoding import feature_values
from tasks.journal.events.enrollment import DatasetSpec, Enrollment
from tasks.registry.model_files import LoadedModel
from unlearning.config.model_interface import ModelInput
from unlearning.model.adapted import argument_names
from unlearning.model.rows import Rows

_ROWS = 2
"""With one, torch.export would fix the batch size at one."""


def input_example(original: LoadedModel, forget: Rows, enrollment: Enrollment) -> Any:
    """The parent's input example, or zeros if it has none or one of the rows being forgotten.

    None for a model of several arguments that is no export: MLflow keeps no example of those.
    """
    example, spec = original.example, enrollment.dataset
    if example is None:
        return _zeros(original, forget, enrollment)
    is_named = isinstance(example, Mapping)
    parts = cast("Mapping[str, Any]", example) if is_named else {"": example}
    arrays = {name: np.asarray(part) for name, part in parts.items()}
    order = _order(arrays, spec)
    if not order or _is_among([arrays[one] for one in order], forget, spec):
        zeros = {name: np.zeros_like(array) for name, array in arrays.items()}
        return zeros if is_named else zeros[""]
    return example


def _order(arrays: Mapping[str, np.ndarray], spec: DatasetSpec) -> list[str]:
    """The parts as a row's numbers follow each other; none if nobody says how they do."""
    named = [one.name for one in spec.inputs]
    if set(named) == arrays.keys():
        return named
    return list(arrays) if len(arrays) == 1 and (not named or "" in arrays) else []


def _is_among(parts: list[np.ndarray], forget: Rows, spec: DatasetSpec) -> bool:
    """Whether a row of the example is one of these, or may be, since it has another form."""
    counts = {array.shape[:1] for array in parts}
    if len(counts) > 1 or () in counts or any(array.dtype.kind not in "biuf" for array in parts):
        return True
    flat = [array.astype(np.float32).reshape(len(array), -1) for array in parts]
    values = np.concatenate(flat, axis=1)
    rows = (feature_values(inputs, spec).numpy() for inputs, _ in forget.chunks(4096))
    return any(
        chunk.shape[1] != len(value) or (chunk == value).all(axis=1).any()
        for chunk in rows
        for value in values
    )


def _zeros(original: LoadedModel, forget: Rows, enrollment: Enrollment) -> Any:
    wanted = {one.name: one for one in enrollment.interface.inputs}
    if not wanted or "" in wanted:
        shape = _shape(forget, enrollment.dataset)
        return _of(wanted.get("", ModelInput()), shape)
    if not original.is_exported:
        return None
    names = argument_names(original.module)
    return tuple(_of(wanted[name], wanted[name].shape) for name in names)


def _of(one: ModelInput, shape: tuple[int, ...]) -> Any:
    zeros = torch.zeros((_ROWS, *shape), dtype=getattr(torch, one.kind))
    return zeros if zeros.dtype == torch.bfloat16 else zeros.numpy()  # which has no such type


def _shape(forget: Rows, spec: DatasetSpec) -> tuple[int, ...]:
    first, _ = next(iter(forget.chunks(1)))
    return first.shape[1:] if spec.target == "class" else spec.shape or (first.shape[1] - 1,)

"""The input example that a new version is logged with: never a row that was forgotten."""

from typing import Any

import numpy as np
import torch

from tasks.datasets.encoding import feature_values
from tasks.journal.events.enrollment import DatasetSpec, Enrollment
from unlearning.model.rows import Rows

_ROWS = 2
"""With one, torch.export would fix the batch size at one."""


def input_example(example: Any, forget: Rows, enrollment: Enrollment) -> Any:
    """The parent's input example, or zeros if it has none or one of the rows being forgotten."""
    spec = enrollment.dataset
    if example is None:
        return _zeros(forget, enrollment)
    values = np.asarray(example, dtype=np.float32).reshape(len(example), -1)
    rows = (feature_values(inputs, spec).numpy() for inputs, _ in forget.chunks(4096))
    if any((chunk == value).all(axis=1).any() for chunk in rows for value in values):
        return np.zeros_like(np.asarray(example))
    return example


def _zeros(forget: Rows, enrollment: Enrollment) -> Any:
    shape = _shape(forget, enrollment.dataset)
    kinds = [one.kind for one in enrollment.interface.inputs]
    zeros = torch.zeros((_ROWS, *shape), dtype=getattr(torch, kinds[0] if kinds else "float32"))
    return zeros if zeros.dtype == torch.bfloat16 else zeros.numpy()  # which has no such type


def _shape(forget: Rows, spec: DatasetSpec) -> tuple[int, ...]:
    first, _ = next(iter(forget.chunks(1)))
    return first.shape[1:] if spec.target == "class" else spec.shape or (first.shape[1] - 1,)

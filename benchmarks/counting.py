"""Counting of the rows that go through a model."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch._C._functorch import (
    get_unwrapped,
    is_batchedtensor,
    is_gradtrackingtensor,
    maybe_get_bdim,
)


@dataclass(slots=True)
class RowCount:
    """Rows that went forward through the model, with and without a graph for the way back."""

    with_gradient: int = 0
    without: int = 0

    @property
    def passed(self) -> float:
        """Rows in units of forward and backward together; forward alone is about a third."""
        return self.with_gradient + self.without / 3


@contextmanager
def counted_rows(model: nn.Module) -> Generator[RowCount]:
    """A block in which every row that goes forward through the model is counted."""
    count = RowCount()

    def count_batch(_: nn.Module, inputs: tuple[Any, ...]) -> None:
        rows = _row_count(inputs[0])
        if torch.is_grad_enabled():
            count.with_gradient += rows
        else:
            count.without += rows

    handle = model.register_forward_pre_hook(count_batch)
    try:
        yield count
    finally:
        handle.remove()


def _row_count(batch: torch.Tensor) -> int:
    """Rows of a batch; under vmap those of every lane, which torch 2.13 tells in private only."""
    while is_gradtrackingtensor(batch):
        batch = get_unwrapped(batch)
    if not is_batchedtensor(batch):
        return len(batch)
    whole = get_unwrapped(batch)
    return whole.shape[maybe_get_bdim(batch)] * len(batch)

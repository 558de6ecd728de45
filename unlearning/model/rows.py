"""Rows: labelled examples that can be read again and again, in the same order, chunk by chunk.

Letters: N rows in all, B rows in a chunk.
"""

import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b, sha256
from typing import Protocol

import torch
from torch import Tensor

from unlearning.errors import DataError


class Rows(Protocol):
    """A source of labelled rows; reading it twice gives the same rows in the same order."""

    @property
    def count(self) -> int:
        """Number of rows."""
        ...

    def chunks(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs [B, ...] and int64 labels [B], `size` rows at a time and a rest, always alike."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class TensorRows:
    """Rows in memory.

    Raises:
        DataError: labels are not int64 [N], or inputs have another number of rows.
    """

    inputs: Tensor  # [N, ...]
    labels: Tensor  # [N]

    def __post_init__(self) -> None:
        if self.inputs.ndim == 0 or self.inputs.shape[0] != self.labels.shape[:1].numel():
            raise DataError(
                f"The inputs have shape {tuple(self.inputs.shape)} and the labels "
                f"{tuple(self.labels.shape)}; give one label for each row."
            )
        _check_labels(self.labels)

    @property
    def count(self) -> int:
        """Number of rows."""
        return self.labels.shape[0]

    def chunks(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Consecutive views of the two tensors."""
        if size < 1:
            raise ValueError(f"The chunk size is {size}; give at least 1.")
        for start in range(0, self.count, size):
            yield self.inputs[start : start + size], self.labels[start : start + size]


def read_chunks(rows: Rows, size: int, device: str) -> Iterator[tuple[Tensor, Tensor]]:
    """Every chunk of the rows, moved to the device and checked on the way.

    Raises:
        DataError: there are no rows, labels are not int64 [B], inputs and labels differ in number,
            or the source gave another number of rows than it announced.
    """
    if rows.count < 1:
        raise DataError("The row set is empty; check the split that made it.")
    seen = 0
    for inputs, labels in rows.chunks(size):
        _check_labels(labels)
        if inputs.shape[:1] != labels.shape:
            raise DataError(
                f"A chunk has {inputs.shape[0]} inputs and {labels.shape[0]} labels; "
                "check the reader of this table."
            )
        seen += labels.shape[0]
        yield inputs.to(device), labels.to(device)
    if seen != rows.count:
        raise DataError(
            f"The source announced {rows.count} rows and gave {seen}; pin the table version again."
        )


def gather(rows: Rows, size: int = 4096) -> TensorRows:
    """All rows in memory at once; an in-memory source comes back as it is.

    Raises:
        DataError: as `read_chunks`.
    """
    if isinstance(rows, TensorRows) and rows.count:
        return rows
    chunks = list(read_chunks(rows, size, "cpu"))
    inputs = torch.cat([inputs for inputs, _ in chunks])
    labels = torch.cat([labels for _, labels in chunks])
    return TensorRows(inputs, labels)


KEYED = "hmac-sha256:"
"""How a digest begins that nobody can make anew without the key."""


def rows_digest(rows: Rows, key: bytes, size: int = 4096) -> str:
    """HMAC-SHA-256 under a key, over the bytes of all inputs and labels, whatever the chunk size.

    A plain digest would tell whoever tries all likely rows which of them was a person's.

    Cost: one pass over the rows, memory for one chunk.

    Raises:
        DataError: as `read_chunks`.
    """
    inputs_digest, labels_digest = sha256(), sha256()
    for inputs, labels in read_chunks(rows, size, "cpu"):
        inputs_digest.update(inputs.contiguous().numpy().data)
        labels_digest.update(labels.contiguous().numpy().data)
    both = inputs_digest.digest() + labels_digest.digest()
    return KEYED + hmac.new(key, both, sha256).hexdigest()


def split_by_content(rows: TensorRows) -> tuple[TensorRows, TensorRows]:
    """Two disjoint parts of about half the rows each, by a hash of each row's inputs.

    A row falls into the same part whatever sample it comes in, and equal rows fall together, so
    what was read from one part is never judged on the other. Cost: one pass over the bytes.
    """
    first, second = content_halves(rows)
    return (
        TensorRows(rows.inputs[first], rows.labels[first]),
        TensorRows(rows.inputs[second], rows.labels[second]),
    )


def content_halves(rows: TensorRows) -> tuple[Tensor, Tensor]:
    """Places of the rows of either part of `split_by_content`, in order; int64."""
    flat = rows.inputs.reshape(rows.count, -1).contiguous().numpy()
    bits = [blake2b(row.tobytes(), digest_size=1).digest()[0] & 1 for row in flat]
    is_second = torch.tensor(bits, dtype=torch.bool)
    first, second = (mask.nonzero().squeeze(1) for mask in (~is_second, is_second))
    return first, second


def random_rows(rows: Rows, count: int, seed: int = 0) -> TensorRows:
    """At most `count` rows in memory, drawn as by `draw`."""
    return draw(rows, count, seed)[0]


def draw(rows: Rows, count: int, seed: int = 0, *, size: int = 4096) -> tuple[TensorRows, Tensor]:
    """At most `count` rows in memory and their places, by chance: tables may be sorted.

    The same seed gives the same rows, in the order of the source. Cost: one pass over the rows;
    memory for one chunk of `size` rows, for the rows drawn, and for a number for each row; raises
    as `read_chunks`.
    """
    random = torch.Generator().manual_seed(seed)
    places = torch.randperm(rows.count, generator=random)[:count].sort().values
    parts: list[tuple[Tensor, Tensor]] = []
    start = 0
    for inputs, labels in read_chunks(rows, size, "cpu"):
        inside = places[(places >= start) & (places < start + len(labels))] - start
        parts.append((inputs[inside], labels[inside]))
        start += len(labels)
    inputs, labels = (torch.cat(part) for part in zip(*parts, strict=True))
    return TensorRows(inputs, labels), places


def _check_labels(labels: Tensor) -> None:
    if labels.ndim != 1 or labels.dtype != torch.int64:
        raise DataError(
            f"The labels have shape {tuple(labels.shape)} and type {labels.dtype}; "
            "give one int64 class number for each row."
        )

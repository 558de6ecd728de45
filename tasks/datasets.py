"""Rows of a pinned table as tensors: the forget set, a retain sample, the holdout set."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import torch
from torch import Tensor

from tasks.boundary import translated
from tasks.tables import arrow_schema, count_rows, matching, open_table
from unlearning.errors import DataError
from unlearning.rows import TensorRows


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """Where a model's training rows are and how they become inputs and labels."""

    uri: str
    features: tuple[str, ...]
    """One list column, or any number of numeric columns in the model's order."""
    label: str
    subject: str
    shape: tuple[int, ...] = ()
    """Shape of one input; empty means flat."""
    scale: float = 1.0
    """Features are divided by this (255 for images)."""


class TableRows:
    """Rows of a table read as a stream, in file order; memory does not grow with the table."""

    def __init__(
        self,
        spec: DatasetSpec,
        version: int | None,
        *,
        only: Sequence[str] | None = None,
        without: Sequence[str] = (),
        uri: str | None = None,
    ) -> None:
        self._spec = spec
        self._table = open_table(uri or spec.uri, version)
        self._where = None if only is None else matching(self._table, spec.subject, only)
        if without:
            self._where = ~matching(self._table, spec.subject, without)
        self.count = count_rows(self._table, self._where)

    def chunks(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """(inputs, labels) of up to `size` rows at a time."""
        columns = [*self._spec.features, self._spec.label]
        with translated("table"):
            batches = self._table.to_pyarrow_dataset().to_batches(
                columns=columns, filter=self._where, batch_size=size
            )
            for batch in batches:
                if batch.num_rows:
                    yield to_tensors(pa.Table.from_batches([batch]), self._spec)


def read_rows(spec: DatasetSpec, version: int | None, subjects: Sequence[str]) -> TensorRows:
    """The subjects' rows, in memory, in the order of the pinned files."""
    table = open_table(spec.uri, version)
    columns = [*spec.features, spec.label]
    with translated("table"):
        found = table.to_pyarrow_dataset().to_table(
            columns=columns, filter=matching(table, spec.subject, subjects)
        )
    return TensorRows(*to_tensors(found, spec))


def sample_rows(
    spec: DatasetSpec,
    version: int | None,
    *,
    count: int,
    seed: int,
    without: Sequence[str] = (),
    uri: str | None = None,
) -> TensorRows:
    """A random sample of rows, subjects in `without` left out; cost grows with `count` only.

    Row groups are read in a random order until they hold four times as many rows as asked for,
    and the sample is drawn from those.
    """
    table = open_table(uri or spec.uri, version)
    random = np.random.default_rng(seed)
    columns = [*spec.features, spec.label]
    where = ~matching(table, spec.subject, without) if without else None
    pool: list[tuple[Tensor, Tensor]] = []
    with translated("table"):
        for group in _shuffled_row_groups(table.to_pyarrow_dataset(), random):
            part = group.to_table(columns=columns, filter=where)
            if part.num_rows:
                pool.append(to_tensors(part, spec))
            if sum(len(labels) for _, labels in pool) >= 4 * count:
                break
    if not pool:
        raise DataError(f"No rows are left to sample in {uri or spec.uri}; look at the table.")
    inputs, labels = (torch.cat(parts) for parts in zip(*pool, strict=True))
    chosen = torch.from_numpy(np.sort(random.permutation(len(labels))[:count]))
    return TensorRows(inputs[chosen], labels[chosen])


def _shuffled_row_groups(
    data: ds.Dataset, random: np.random.Generator
) -> Iterator[ds.ParquetFileFragment]:
    groups = [g for f in data.get_fragments() for g in f.split_by_row_group()]
    groups.sort(key=lambda g: (g.path, g.row_groups[0].id))
    for index in random.permutation(len(groups)):
        yield groups[index]


def to_tensors(table: pa.Table, spec: DatasetSpec) -> tuple[Tensor, Tensor]:
    """Inputs float32 [N, *shape] and labels int64 [N].

    Raises:
        DataError: a value is missing, or rows have different numbers of features.
    """
    if any(table[name].null_count for name in (*spec.features, spec.label)):
        raise DataError(f"A feature or label is missing in {spec.uri}; fill or drop such rows.")
    inputs = torch.from_numpy(_matrix(table, spec)).div_(spec.scale)
    if spec.shape and len(inputs):
        inputs = inputs.reshape(-1, *spec.shape)
    labels = table[spec.label].to_numpy(zero_copy_only=False).astype(np.int64)
    return inputs, torch.from_numpy(labels)


def _matrix(table: pa.Table, spec: DatasetSpec) -> np.ndarray:
    if not table.num_rows:
        return np.zeros((0, 0), dtype=np.float32)
    first = table[spec.features[0]].combine_chunks()
    if not _is_list(first.type):
        columns = [table[name].to_numpy(zero_copy_only=False) for name in spec.features]
        return np.stack(columns, axis=1).astype(np.float32)
    lengths = first.value_lengths().unique()
    values = first.flatten()
    if len(lengths) > 1 or values.null_count:
        raise DataError(
            f"Rows of {spec.uri} have missing features or different numbers of them; mend them."
        )
    return values.to_numpy(zero_copy_only=False).astype(np.float32).reshape(len(first), -1)


def _is_list(kind: pa.DataType) -> bool:
    return (
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def check_columns(spec: DatasetSpec, version: int | None) -> None:
    """Refuse a specification that the table does not fit.

    Raises:
        DataError: a column is missing or has a type that cannot be used.
    """
    schema = arrow_schema(open_table(spec.uri, version))
    missing = [n for n in (*spec.features, spec.label, spec.subject) if n not in schema.names]
    if missing:
        raise DataError(
            f"{spec.uri} has no column {missing[0]!r}; it has {', '.join(schema.names)}."
        )
    for name in spec.features:
        kind = schema.field(name).type
        kind = kind.value_type if _is_list(kind) else kind
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or kind == pa.bool_()):
            raise DataError(f"Feature column {name!r} must hold numbers, or lists of numbers.")
    if not pa.types.is_integer(schema.field(spec.label).type):
        raise DataError(f"Label column {spec.label!r} must hold integers from 0.")
    kind = schema.field(spec.subject).type
    if not (
        pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)
    ):
        raise DataError(f"Subject column {spec.subject!r} must hold strings or integers.")
    if len(spec.features) > 1 and any(_is_list(schema.field(n).type) for n in spec.features):
        raise DataError("Name one list column, or several numeric columns, not a mixture.")

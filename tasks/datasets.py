"""Rows of a pinned table as tensors: all or some as a stream, or a sample in memory."""

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import torch
from deltalake import DeltaTable
from torch import Tensor

from tasks.boundary import translated
from tasks.dataset_spec import DatasetSpec
from tasks.fragments import TableShare
from tasks.streams import cut, read_ahead
from tasks.tables import arrow_dataset, arrow_schema, matching, open_table
from unlearning.errors import DataError, UnfitRowsError
from unlearning.rows import TensorRows, content_halves

_MOST_VALUES = 50
"""Values of a slice column; one with more is rather a name than a group."""


class TableRows:
    """Rows of a table read as a stream, in file order; memory does not grow with their number.

    The next chunks are read and decoded by a thread while the caller works on the one before.
    """

    def __init__(
        self,
        spec: DatasetSpec,
        version: int | None,
        *,
        only: Sequence[str] | None = None,
        without: Sequence[str] = (),
        uri: str | None = None,
        part: tuple[int, int] = (0, 1),
    ) -> None:
        """Open the table.

        Args:
            spec: How its rows become inputs and labels.
            version: Version of the table; None for the newest.
            only: The subjects whose rows are meant; None for all.
            without: The subjects whose rows are left out.
            uri: Another table of the same columns.
            part: Rank and number of ranks: together they read every row once, each its own.
        """
        self._spec = spec
        table = open_table(uri or spec.uri, version)
        where = None if only is None else matching(table, spec.subject, only)
        if without:
            where = ~matching(table, spec.subject, without)
        self._share = TableShare(table, where, part)
        self.count = self._share.count

    def chunks(self, size: int) -> Generator[tuple[Tensor, Tensor]]:
        """(inputs, labels) of exactly `size` rows at a time, fewer only at the end.

        Raises:
            UnfitRowsError: a value is missing, or rows have different numbers of features.
        """
        return read_ahead(self._chunks(size))

    def _chunks(self, size: int) -> Generator[tuple[Tensor, Tensor]]:
        if size < 1:
            raise ValueError(f"The chunk size is {size}; give at least 1.")
        width: int | None = None
        with translated("table"):
            batches = self._share.batches([*self._spec.features, self._spec.label], size)
            for table in cut(batches, size):
                inputs, labels = to_tensors(table, self._spec)
                width = width or inputs[0].numel()
                if inputs[0].numel() != width:
                    raise _ragged(self._spec)
                yield inputs, labels


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Rows in memory, with their values in the slice columns and never a subject id."""

    rows: TensorRows
    slices: dict[str, list[str]]
    """By slice column the value of each row; "missing" where the table has none."""

    def halves(self) -> tuple["Sample", "Sample"]:
        """The two parts of `unlearning.rows.split_by_content`, each row with its slices."""
        first, second = content_halves(self.rows)
        return self._part(first), self._part(second)

    def _part(self, places: Tensor) -> "Sample":
        chosen = places.tolist()
        return Sample(
            TensorRows(self.rows.inputs[places], self.rows.labels[places]),
            {name: [values[place] for place in chosen] for name, values in self.slices.items()},
        )


def sample_rows(
    spec: DatasetSpec,
    version: int | None,
    *,
    count: int,
    seed: int,
    without: Sequence[str] = (),
    uri: str | None = None,
) -> TensorRows:
    """The rows of `sample_with_slices` alone."""
    bare = replace(spec, slices=())
    found = sample_with_slices(bare, version, count=count, seed=seed, without=without, uri=uri)
    return found.rows


def sample_with_slices(
    spec: DatasetSpec,
    version: int | None,
    *,
    count: int,
    seed: int,
    without: Sequence[str] = (),
    uri: str | None = None,
) -> Sample:
    """A random sample of rows, subjects in `without` left out; cost grows with `count` only.

    Row groups are read in a random order until they hold four times as many rows as asked for,
    and the sample is drawn from those. Which rows it has does not depend on the slices.

    Raises:
        UnfitRowsError: no row is left, or a feature or label is missing.
    """
    spec = spec if uri is None else replace(spec, uri=uri)
    table = open_table(spec.uri, version)
    random = np.random.default_rng(seed)
    # A slice may be a feature or the label, and a column can be read only once.
    columns = list(dict.fromkeys([*spec.features, spec.label, *spec.slices]))
    where = ~matching(table, spec.subject, without) if without else None
    pool: list[tuple[Tensor, Tensor]] = []
    declared: list[pa.Table] = []
    with translated("table"):
        data = arrow_dataset(table)
        for group in _shuffled_row_groups(data, random):
            # The table's schema, since a column it is partitioned by is in no file.
            part = group.to_table(data.schema, columns=columns, filter=where)
            if part.num_rows:
                pool.append(to_tensors(part, spec))
                declared.append(part.select(spec.slices))
            if sum(len(labels) for _, labels in pool) >= 4 * count:
                break
    if not pool:
        raise UnfitRowsError(f"No rows are left to sample in {spec.uri}; look at the table.")
    inputs, labels = (torch.cat(parts) for parts in zip(*pool, strict=True))
    chosen = torch.from_numpy(np.sort(random.permutation(len(labels))[:count]))
    drawn = pa.concat_tables(declared)
    return Sample(
        TensorRows(inputs[chosen], labels[chosen]),
        {name: _texts(drawn[name].take(chosen.numpy())) for name in spec.slices},
    )


def label_counts(spec: DatasetSpec, version: int | None) -> Counter[int]:
    """Rows of the table by class; cost: one pass over the label column, in memory of a batch."""
    counts: Counter[int] = Counter()
    with translated("table"):
        for batch in arrow_dataset(open_table(spec.uri, version)).to_batches(columns=[spec.label]):
            found = batch[spec.label].value_counts()
            counts.update(dict(zip(*(one.to_pylist() for one in found.flatten()), strict=True)))
    return counts


def _texts(values: pa.ChunkedArray) -> list[str]:
    return values.cast(pa.string()).fill_null("missing").to_pylist()


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
        DataError: a value is missing, or rows have another number of features than they should.
    """
    if any(table[name].null_count for name in (*spec.features, spec.label)):
        raise UnfitRowsError(
            f"A feature or label is missing in {spec.uri}; fill or drop such rows."
        )
    inputs = torch.from_numpy(_matrix(table, spec)).div_(spec.scale)
    if spec.shape and len(inputs):
        if inputs.shape[1] != prod(spec.shape):
            raise UnfitRowsError(
                f"Rows of {spec.uri} have {inputs.shape[1]} features, which do not make the shape "
                f"{list(spec.shape)}; change --shape or --features."
            )
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
        raise _ragged(spec)
    return values.to_numpy(zero_copy_only=False).astype(np.float32).reshape(len(first), -1)


def _ragged(spec: DatasetSpec) -> UnfitRowsError:
    return UnfitRowsError(
        f"Rows of {spec.uri} have missing features or different numbers of them; mend them."
    )


def _is_list(kind: pa.DataType) -> bool:
    return (
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def check_columns(spec: DatasetSpec, version: int | None) -> None:
    """Refuse a specification that the table does not fit.

    Cost: the schema; with slices also a pass over their columns, ended at the first refusal.

    Raises:
        DataError: a column is missing or has a type that cannot be used, or a slice names people
            or has more than 50 values.
    """
    table = open_table(spec.uri, version)
    schema = arrow_schema(table)
    wanted = (*spec.features, spec.label, spec.subject, *spec.slices)
    missing = [name for name in wanted if name not in schema.names]
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
    if not (pa.types.is_integer(kind) or _is_text(kind)):
        raise DataError(f"Subject column {spec.subject!r} must hold strings or integers.")
    if len(spec.features) > 1 and any(_is_list(schema.field(n).type) for n in spec.features):
        raise DataError("Name one list column, or several numeric columns, not a mixture.")
    if spec.slices:
        _check_slices(spec, table, schema)


def _check_slices(spec: DatasetSpec, table: DeltaTable, schema: pa.Schema) -> None:
    if spec.subject in spec.slices:
        raise DataError(
            f"The slice column {spec.subject!r} names the data subjects, whose ids would stand in "
            "the evidence; leave it out of --slices."
        )
    for name in spec.slices:
        kind = schema.field(name).type
        if not (pa.types.is_integer(kind) or kind == pa.bool_() or _is_text(kind)):
            raise DataError(f"Slice column {name!r} must hold strings, integers or booleans.")
    found: dict[str, set[Any]] = {name: set() for name in spec.slices}
    with translated("table"):
        for batch in arrow_dataset(table).to_batches(columns=list(found)):
            for name, values in found.items():
                values.update(batch[name].unique().to_pylist())
                if len(values) > _MOST_VALUES:
                    raise DataError(
                        f"Slice column {name!r} of {spec.uri} has more than {_MOST_VALUES} values, "
                        "so that some may point at single people; leave it out of --slices."
                    )

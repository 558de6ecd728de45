"""Random samples of a pinned table in memory, from all over it and at a bounded cost."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
from torch import Tensor

from tasks.boundary import translated
from tasks.dataset_spec import DatasetSpec
from tasks.datasets import to_tensors
from tasks.tables import arrow_dataset, matching, open_table
from unlearning.errors import UnfitRowsError
from unlearning.rows import TensorRows, content_halves

_POOL = 4
"""Rows that are read for each row of the sample, where the table has them."""

_SPREAD, _MOST_ROWS = 64, 2_000_000
"""Row groups that are read in any case, unless they hold so many rows."""


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
    """A random sample of rows, subjects in `without` left out.

    Row groups are read in a random order until they hold four times as many rows as asked for, and
    are 64 or hold two million: of a table that is sorted or partitioned, a few would be of a few
    classes. Of each an equal share goes into a pool, from which the sample is drawn. Which rows it
    has does not depend on the slices. Cost: reading those row groups, whatever else the table has;
    memory for four times the sample.

    Raises:
        UnfitRowsError: no row is left, or a feature or label is missing.
    """
    spec = spec if uri is None else replace(spec, uri=uri)
    table = open_table(spec.uri, version)
    random = np.random.default_rng(seed)
    # A slice may be a feature or the label, and a column can be read only once.
    columns = list(dict.fromkeys([*spec.features, spec.label, *spec.slices]))
    where = ~matching(table, spec.subject, without) if without else None
    with translated("table"):
        data = arrow_dataset(table)
        scan = _Scan(data.schema, columns, where, random)
        groups = _shuffled_row_groups(data, random)
        first, rows = _spread(groups, _POOL * count)
        pool = [part for group in first for part in scan.draw(group, _POOL * count / max(1, rows))]
        for group in groups:  # read only where most rows of the first are left out
            if sum(part.num_rows for part in pool) >= count:
                break
            pool.extend(scan.draw(group, 1.0))
    if not any(part.num_rows for part in pool):
        raise UnfitRowsError(f"No rows are left to sample in {spec.uri}; look at the table.")
    drawn = pa.concat_tables(pool)
    chosen = drawn.take(np.sort(random.permutation(drawn.num_rows)[:count]))
    inputs, labels = to_tensors(chosen, spec)
    return Sample(TensorRows(inputs, labels), {name: _texts(chosen[name]) for name in spec.slices})


@dataclass(frozen=True, slots=True)
class _Scan:
    """How row groups are read."""

    schema: pa.Schema
    """The table's, since a column that it is partitioned by is in no file."""
    columns: list[str]
    where: ds.Expression | None
    random: np.random.Generator

    def draw(self, group: ds.ParquetFileFragment, share: float) -> Iterator[pa.Table]:
        """About that share of the group's rows, or all if it is 1 or more, batch by batch."""
        for batch in group.to_batches(self.schema, columns=self.columns, filter=self.where):
            is_drawn = self.random.random(batch.num_rows) < share
            yield pa.Table.from_batches([batch]).filter(pa.array(is_drawn))


def _shuffled_row_groups(
    data: ds.Dataset, random: np.random.Generator
) -> Iterator[ds.ParquetFileFragment]:
    groups = [g for f in data.get_fragments() for g in f.split_by_row_group()]
    groups.sort(key=lambda g: (g.path, g.row_groups[0].id))
    for index in random.permutation(len(groups)):
        yield groups[index]


def _spread(
    groups: Iterator[ds.ParquetFileFragment], least: int
) -> tuple[list[ds.ParquetFileFragment], int]:
    """Row groups enough for a sample from all over the table, and the rows that they hold."""
    taken: list[ds.ParquetFileFragment] = []
    rows = 0
    for group in groups:
        taken.append(group)
        rows += group.row_groups[0].num_rows
        if rows >= least and (len(taken) >= _SPREAD or rows >= _MOST_ROWS):
            break
    return taken, rows


def _texts(values: pa.ChunkedArray) -> list[str]:
    return values.cast(pa.string()).fill_null("missing").to_pylist()

"""Random samples of a pinned table in memory, from all over it and at a bounded cost."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import torch
from torch import Tensor

from tasks.datasets.encoding import joined, to_tensors
from tasks.datasets.fragments import SCAN, Group, row_groups
from tasks.datasets.objects import Allowance, with_objects
from tasks.environment.settings import Settings
from tasks.foreign_errors import translated
from tasks.journal.events.enrollment import DatasetSpec
from tasks.tables.delta import arrow_dataset, matching, open_table
from unlearning.errors import UnfitRowsError
from unlearning.model.rows import TensorRows, content_halves

_POOL = 4
"""Rows that are read for each row of the sample, where the table has them."""

ENOUGH_GROUPS, ENOUGH_BYTES = 256, 1 << 30
"""Row groups, or bytes in them, that are enough if they hold rows enough."""

LEAST_GROUPS = 8
"""Row groups that are read however large they are: one alone may be one class, or one day."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Rows in memory, with their values in the slice columns and never a subject id."""

    rows: TensorRows
    slices: dict[str, list[str]]
    """By slice column the value of each row; "missing" where the table has none."""
    table: pa.Table
    """The same rows as they are stored: features and label alone, objects for their addresses."""

    def halves(self) -> tuple["Sample", "Sample"]:
        """The two parts of `unlearning.model.rows.split_by_content`, each row with its slices."""
        first, second = content_halves(self.rows)
        return self._part(first), self._part(second)

    def _part(self, places: Tensor) -> "Sample":
        chosen = places.tolist()
        return Sample(
            TensorRows(self.rows.inputs[places], self.rows.labels[places]),
            {name: [values[place] for place in chosen] for name, values in self.slices.items()},
            self.table.take(places.numpy()),
        )


def sample_rows(
    settings: Settings,
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
    found = sample_with_slices(
        settings, bare, version, count=count, seed=seed, without=without, uri=uri
    )
    return found.rows


def sample_with_slices(
    settings: Settings,
    spec: DatasetSpec,
    version: int | None,
    *,
    count: int,
    seed: int,
    without: Sequence[str] = (),
    uri: str | None = None,
) -> Sample:
    """A random sample of rows in random order, subjects in `without` left out.

    Every row has about the same chance. A table of up to 256 row groups and 1 GiB is read whole; of
    a larger one row groups are drawn, in proportion to their rows, about as many as that, or as
    large, or as hold four times the sample. So of a sorted table much larger than that classes may
    still be missing. Which rows it has does not depend on the slices. Cost: the footers of all
    files, and reading those row groups; memory for five times the sample and for the largest row
    group, decoded.

    Raises:
        UnfitRowsError: no row is left, or a feature or label is missing.
    """
    spec = spec if uri is None else replace(spec, uri=uri)
    table = open_table(settings, spec.uri, version)
    # A slice may be a feature or the label, and a column can be read only once.
    columns = list(dict.fromkeys([*spec.features, spec.label, *spec.slices]))
    where = ~matching(table, spec.subject, without) if without else None
    with translated("table"):
        data = arrow_dataset(table)
        groups = row_groups(data, None)
        pool = _Pool(count)
        reach = 1
        while pool.size < count:
            drawn = draw_groups(groups, _POOL * count, reach, np.random.default_rng(seed))
            pool = _Pool(count)
            random = np.random.default_rng([seed, 1])
            for batch, chance in _batches(data, drawn, columns, where):
                pool.add(batch, chance * random.random(batch.num_rows))
            if len(drawn) == len(groups):
                break
            reach *= 4  # most rows of those groups are left out
        return pool.sample(spec, settings)


Drawn = list[tuple[ds.ParquetFileFragment, float]]
"""Row groups, and each one's chance to be among them."""


def draw_groups(
    groups: Sequence[Group], least: int, reach: int, random: np.random.Generator
) -> Drawn:
    """Row groups for a sample, drawn in proportion to their rows, and each one's chance of that.

    Formula: group g with n_g rows comes at the time e_g / w_g, e_g standard exponential and
    w_g = max(n_g, least / 256), and is taken if that is before T: its chance is 1 - exp(-w_g T).
    T does not depend on who comes: it is the earliest time by which groups enough are expected, in
    rows, and in number or bytes (Poisson sampling); infinite if the whole table is not too much.

    Args:
        groups: All of the table.
        least: Rows that they should hold, as far as there are any.
        reach: How many times the usual rows, number and bytes of groups are read.
        random: What the draw depends on.
    """
    rows = np.array([count for _, count in groups], dtype=float)
    sizes = [sum(part.total_byte_size for part in group.row_groups) for group, _ in groups]
    weights = np.maximum(rows, least / ENOUGH_GROUPS)

    def chances(end: float) -> np.ndarray:
        return -np.expm1(-weights * end)

    def are_enough(expected: np.ndarray) -> bool:
        number, size = expected.sum(), expected @ np.array(sizes, dtype=float)
        many = number >= reach * ENOUGH_GROUPS
        large = size >= reach * ENOUGH_BYTES and number >= reach * LEAST_GROUPS
        return bool(expected @ rows >= reach * least and (many or large))

    if not are_enough(np.ones(len(groups))):
        return [(group, 1.0) for group, _ in groups]
    low, high = 0.0, 1.0
    while not are_enough(chances(high)) and high < 1e9:  # noqa: PLR2004 - certain by then
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if are_enough(chances(middle)) else (middle, high)
    times = random.exponential(size=len(groups)) / weights
    taken = np.flatnonzero(times <= max(high, times.min())).tolist()  # never none at all
    return [(groups[index][0], float(chances(high)[index])) for index in taken]


def _batches(
    data: ds.FileSystemDataset, drawn: Drawn, columns: list[str], where: ds.Expression | None
) -> Iterator[tuple[pa.RecordBatch, float]]:
    """Every batch of the row groups, and its group's chance."""

    def name(group: ds.ParquetFileFragment) -> tuple[str, int]:
        return group.path, group.row_groups[0].id

    chance = {name(group): value for group, value in drawn}
    # One scan for all: each would bind the condition, with every id in it, anew.
    part = ds.FileSystemDataset(
        [group for group, _ in drawn], data.schema, data.format, data.filesystem
    )
    scanner = part.scanner(columns=columns, filter=where, **SCAN)
    for tagged in scanner.scan_batches():
        yield tagged.record_batch, chance[name(tagged.fragment)]


class _Pool:
    """The rows with the smallest keys so far; a little more than the sample is kept."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._parts: list[tuple[np.ndarray, pa.Table]] = []
        self._limit = np.inf
        self.size = 0

    def add(self, batch: pa.RecordBatch, keys: np.ndarray) -> None:
        """Take those rows of the batch that may belong to the sample."""
        self._keep(keys, pa.Table.from_batches([batch]))
        if self.size > (_POOL + 1) * self._count:
            self._shrink()

    def sample(self, spec: DatasetSpec, settings: Settings) -> Sample:
        """The sample, in the order of its keys, which is random.

        Raises:
            UnfitRowsError: it has no row, or rows with missing or different numbers of features.
        """
        if not self.size:
            raise UnfitRowsError(f"No rows are left to sample in {spec.uri}; look at the table.")
        self._shrink()
        order = torch.from_numpy(np.argsort(np.concatenate([keys for keys, _ in self._parts])))
        held = Allowance(spec.uri)
        tables = [with_objects(table, spec, settings, held) for _, table in self._parts]
        rows = joined([to_tensors(table, spec, settings) for table in tables], spec)
        drawn = pa.concat_tables([table.select(spec.slices) for table in tables])
        slices = {name: _texts(drawn[name].take(order.numpy())) for name in spec.slices}
        stored = pa.concat_tables(tables).select([*spec.features, spec.label]).take(order.numpy())
        return Sample(TensorRows(rows.inputs[order], rows.labels[order]), slices, stored)

    def _shrink(self) -> None:
        keys = np.concatenate([keys for keys, _ in self._parts])
        if len(keys) > self._count:
            self._limit = np.partition(keys, self._count - 1)[self._count - 1]
        parts, self._parts, self.size = self._parts, [], 0
        for found, table in parts:
            self._keep(found, table)

    def _keep(self, keys: np.ndarray, table: pa.Table) -> None:
        is_kept = keys <= self._limit
        if is_kept.any():
            self._parts.append((keys[is_kept], table.filter(pa.array(is_kept))))
            self.size += int(is_kept.sum())


def _texts(values: pa.ChunkedArray) -> list[str]:
    return values.cast(pa.string()).fill_null("missing").to_pylist()

"""Which parquet files and row groups of a table are read, and by which rank."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable

from tasks.foreign_errors import translated
from tasks.tables.delta import arrow_dataset

_READERS = 8
SCAN = {
    "batch_readahead": 2,
    "fragment_readahead": 1,
    "fragment_scan_options": ds.ParquetFragmentScanOptions(
        use_buffered_stream=True, buffer_size=1 << 20, pre_buffer=False
    ),
}
"""Column chunks are read through a small buffer: pre-buffering reads a whole row group."""


Group = tuple[ds.ParquetFileFragment, int]
"""A row group and how many of its rows are wanted."""


class TableShare:
    """One rank's share of a table's rows, or of those that match, in an order that never changes.

    Files come in the order of their names, so the same version gives the same rows in the same
    order. A share is made of whole row groups; with more ranks than row groups some are empty.
    """

    def __init__(
        self, table: DeltaTable, where: ds.Expression | None, part: tuple[int, int]
    ) -> None:
        self._where = where
        with translated("table"):
            whole = arrow_dataset(table)
            groups = row_groups(whole, where)
            groups = _dealt(groups, part)
        self.count = sum(rows for _, rows in groups)
        self._data = ds.FileSystemDataset(
            [group for group, _ in groups], whole.schema, whole.format, whole.filesystem
        )

    def batches(self, columns: list[str], size: int) -> Iterator[pa.RecordBatch]:
        """Record batches of at most `size` rows; memory does not grow with the share."""
        return self._data.to_batches(columns=columns, filter=self._where, batch_size=size, **SCAN)


def row_groups(data: ds.Dataset, where: ds.Expression | None) -> list[Group]:
    """The row groups with wanted rows, by file name and place in the file.

    Cost: the footers of all files; with a condition also one pass over the columns it names.
    """

    def split(file: ds.ParquetFileFragment) -> list[ds.ParquetFileFragment]:
        return file.split_by_row_group(filter=where)

    def count(group: ds.ParquetFileFragment) -> int:
        if where is None:  # Arrow would count the whole file
            return sum(part.num_rows for part in group.row_groups)
        return group.count_rows(filter=where)

    files = sorted(data.get_fragments(filter=where), key=lambda file: file.path)
    with ThreadPoolExecutor(_READERS) as readers:
        groups = [group for found in readers.map(split, files) for group in found]
        counts = list(readers.map(count, groups))
    return [(group, rows) for group, rows in zip(groups, counts, strict=True) if rows]


def _dealt(groups: list[Group], part: tuple[int, int]) -> list[Group]:
    """The groups of one rank: the largest first, each to the rank that has the fewest rows."""
    rank, world = part
    loads = [0] * world
    mine: set[int] = set()
    for index in sorted(range(len(groups)), key=lambda i: -groups[i][1]):
        lightest = loads.index(min(loads))
        loads[lightest] += groups[index][1]
        if lightest == rank:
            mine.add(index)
    return [group for index, group in enumerate(groups) if index in mine]

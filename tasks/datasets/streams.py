"""Record batches as chunks of one exact size, read and decoded ahead of whoever works on them."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import pyarrow as pa

T = TypeVar("T")
_END = object()


def cut(batches: Iterable[pa.RecordBatch], size: int) -> Iterator[pa.Table]:
    """The same rows in the same order, `size` at a time and a rest, however they were stored."""
    pieces: list[pa.RecordBatch] = []
    missing = size
    for batch in batches:
        start = 0
        while start < batch.num_rows:
            piece = batch.slice(start, missing)
            pieces.append(piece)
            start += piece.num_rows
            missing -= piece.num_rows
            if not missing:
                yield pa.Table.from_batches(pieces)
                pieces, missing = [], size
    if pieces:
        yield pa.Table.from_batches(pieces)


def read_ahead(source: Generator[T], *, depth: int = 2) -> Generator[T]:
    """The items of `source`, made by a thread of its own while the caller works on earlier ones.

    At most `depth` items wait; what `source` raises is raised here, in its place. Closing this
    generator, also early, ends the thread and closes `source`.
    """
    reader = ThreadPoolExecutor(1, thread_name_prefix="expunge-reader")

    def order() -> Future[T]:
        return reader.submit(next, source, _END)  # pyright: ignore[reportArgumentType,reportReturnType]

    try:
        waiting = deque(order() for _ in range(depth))
        while (item := waiting.popleft().result()) is not _END:
            waiting.append(order())
            yield item
    finally:
        reader.shutdown(cancel_futures=True)
        source.close()

"""Work that runs out of memory is tried again with less: smaller chunks, then the CPU."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from unlearning.errors import OutOfMemoryError, is_out_of_memory

log = logging.getLogger("expunge.memory")

_T = TypeVar("_T")
_FEWER = 8
_LEAST_ROWS = 16


def fitting(work: Callable[[int, str], _T], *, chunk_size: int, device: str) -> _T:
    """What `work(rows of a chunk, device)` gives, in the largest chunks that memory allows.

    Neither changes a result beyond rounding (see `unlearning.model.gradients.mean_gradient`). Eight
    times fewer rows each time, down to 16; then the same on the CPU, if it was another device.

    Raises:
        OutOfMemoryError: memory ran out even so.
    """
    for size, place in _ways(chunk_size, device):
        try:
            return work(size, place)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        # Outside the handler: the error holds the frames, and so the tensors, of what failed.
        log.warning("Memory ran out with chunks of %d rows on %s; trying with less", size, place)
        _release(place)
    raise OutOfMemoryError(
        f"Memory ran out even with chunks of {_LEAST_ROWS} rows on the CPU; free some, or run on a "
        "larger machine."
    )


@contextmanager
def memory_errors() -> Iterator[None]:
    """Run a block; memory that runs out in it leaves as our own error, cause chained.

    Raises:
        OutOfMemoryError: memory ran out where nothing smaller can be tried.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemoryError(
            f"Memory ran out ({type(error).__name__}); free some, or run on a larger machine."
        ) from error


def _ways(chunk_size: int, device: str) -> Iterator[tuple[int, str]]:
    for place in dict.fromkeys((device, "cpu")):
        size = chunk_size
        while size > _LEAST_ROWS:
            yield size, place
            size //= _FEWER
        yield min(chunk_size, _LEAST_ROWS), place


def _release(device: str) -> None:
    if device.startswith("cuda"):
        import torch

        torch.cuda.empty_cache()

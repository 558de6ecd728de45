"""Images in a column of bytes as the numbers of their pixels, decoded by a confined process.

Letters: N images, C channels, H rows, W columns of an image.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa

from tasks.datasets import image_process
from tasks.datasets.image_process import IMAGES, PIXELS, SIZE, SIZES
from tasks.environment.settings import Settings
from tasks.registry.confined.places import private_places
from tasks.registry.confined.role import Role
from tasks.registry.confined.worker import Worker
from unlearning.errors import UnfitRowsError

_CHANNELS, _AXES = (1, 3), 3
_SECONDS, _MOST_BYTES, _MOST_WORKERS = 600.0, 1 << 32, 2
_workers: OrderedDict[tuple[Path, str], Worker] = OrderedDict()
_one_at_a_time = Lock()


def is_bytes(kind: pa.DataType) -> bool:
    """Whether a column of this type holds bytes."""
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def pixels(images: pa.Array, shape: Sequence[int], uri: str, settings: Settings) -> np.ndarray:
    """Pixels from 0 to 255 of PNG or JPEG images, float32 [N, C H W], channels first.

    With a shape (C, H, W) each has C = 1 channel, grey, or 3, red to blue, and this size; without
    one they are as they are stored, with three channels unless they are grey.

    Raises:
        UnfitRowsError: one is no such image, or of another size.
        OutOfMemoryError: memory ran out.
    """
    most = len(images) * prod(shape) if shape else _MOST_BYTES
    said, left = _worker(uri, settings).ask(
        {"shape": list(shape)},
        seconds=_SECONDS,
        given={IMAGES: _written(images)},
        wanted={PIXELS: most},
    )
    if "size" not in said:
        raise _refused(said, shape, uri)
    found = np.frombuffer(left[PIXELS], dtype=np.uint8)
    size = said["size"]
    if not isinstance(size, int) or size < 1 or len(found) != len(images) * size:
        raise _refused({}, shape, uri)
    return found.reshape(len(images), size).astype(np.float32)


def forget() -> None:
    """End every process that decodes images."""
    with _one_at_a_time:
        while _workers:
            _workers.popitem()[1].close()


def why_no_images(shape: Sequence[int]) -> str:
    """Why bytes cannot be read as images of this shape; empty if they can."""
    if len(shape) == _AXES and shape[0] in _CHANNELS:
        return ""
    return (
        "holds bytes, which are read as images; name their channels (1 or 3), rows and columns "
        "with --shape"
    )


def _refused(said: Mapping[str, Any], shape: Sequence[int], uri: str) -> UnfitRowsError:
    """Why the images are none; who decodes them may have been taken over, so it is not quoted."""
    odd, sides = said.get("odd"), (said.get("height"), said.get("width"))
    if odd == SIZES:
        return UnfitRowsError(f"Images in {uri} have different sizes; make all of one size.")
    if odd == SIZE and shape and all(isinstance(one, int) for one in sides):
        return UnfitRowsError(
            f"An image in {uri} has {sides[0]} x {sides[1]} pixels in place of {shape[1]} x "
            f"{shape[2]}; make all of one size, and name it with --shape."
        )
    return UnfitRowsError(
        f"An image in {uri} cannot be read as PNG or JPEG; drop its row, or write it anew."
    )


def _worker(uri: str, settings: Settings) -> Worker:
    with _one_at_a_time:
        key = (settings.home, uri)
        if key not in _workers:
            remedy = "find the image that does it, and drop its row or write it anew"
            _workers[key] = Worker(
                settings,
                # Where the machine confines nothing, a process without secrets is better than ours.
                Role("The decoder of images", remedy, UnfitRowsError, trusted=True),
                {"answers.py": Path(image_process.__file__).read_bytes()},
                private=private_places(settings, [uri]),
            )
        _workers.move_to_end(key)
        while len(_workers) > _MOST_WORKERS:
            _workers.popitem(last=False)
        return _workers[key]


def _written(images: pa.Array) -> memoryview:
    table, sink = pa.table({"image": images}), pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return memoryview(sink.getvalue())

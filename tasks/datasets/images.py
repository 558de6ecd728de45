"""Images in a column of bytes as the numbers of their pixels.

Letters: N images, C channels, H rows, W columns of an image.
"""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
import pyarrow as pa
from PIL import Image, UnidentifiedImageError

from unlearning.errors import UnfitRowsError

_FORMATS = ("PNG", "JPEG")
_MODES = {1: "L", 3: "RGB"}
_AXES = 3


def is_bytes(kind: pa.DataType) -> bool:
    """Whether a column of this type holds bytes."""
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def pixels(images: pa.Array, shape: Sequence[int], uri: str) -> np.ndarray:
    """Pixels from 0 to 255 of PNG or JPEG images, float32 [N, C H W], channels first.

    With a shape (C, H, W) each has C = 1 channel, grey, or 3, red to blue, and this size; without
    one they are as they are stored, with three channels unless they are grey.

    Raises:
        UnfitRowsError: one is no such image, or of another size.
    """
    found = [_flat(one, shape, uri) for one in images.to_pylist()]
    if len({len(one) for one in found}) > 1:
        raise UnfitRowsError(f"Images in {uri} have different sizes; make all of one size.")
    return np.stack(found)


def _flat(data: bytes, shape: Sequence[int], uri: str) -> np.ndarray:
    try:
        with Image.open(BytesIO(data), formats=_FORMATS) as image:
            grey = image.mode in ("1", "L", "I", "I;16", "F")
            mode = _MODES[shape[0]] if shape else _MODES[1 if grey else 3]
            if shape and (image.height, image.width) != tuple(shape[1:]):
                raise UnfitRowsError(
                    f"An image in {uri} has {image.height} x {image.width} pixels in place of "
                    f"{shape[1]} x {shape[2]}; make all of one size, and name it with --shape."
                )
            values = np.asarray(image.convert(mode), dtype=np.float32)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError) as error:
        raise UnfitRowsError(
            f"An image in {uri} cannot be read as PNG or JPEG ({type(error).__name__}); drop its "
            "row, or write it anew."
        ) from error
    return (values if values.ndim < _AXES else values.transpose(2, 0, 1)).ravel()


def why_no_images(shape: Sequence[int]) -> str:
    """Why bytes cannot be read as images of this shape; empty if they can."""
    if len(shape) == _AXES and shape[0] in _MODES:
        return ""
    return (
        "holds bytes, which are read as images; name their channels (1 or 3), rows and columns "
        "with --shape"
    )

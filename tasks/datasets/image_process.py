"""What decodes images: it runs in a confined process, for whoever is in a table chose its bytes.

It lies there as `answers.py`. Letters: N images, C channels, H rows, W columns of an image.
"""

from io import BytesIO
from typing import Any

IMAGES, PIXELS = "images.arrow", "pixels.bin"
FORMAT, SIZE, SIZES = "format", "size", "sizes"
_FORMATS = ("PNG", "JPEG")
_MODES = {1: "L", 3: "RGB"}
_GREY = ("1", "L", "I", "I;16", "F")


class RefusalError(Exception):
    """It is no image of this form."""


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """How many numbers each image has, which lie in a file as uint8 [N, C H W]; or what is odd."""
    import numpy as np
    import pyarrow as pa

    images = pa.ipc.open_file(IMAGES).read_all().column(0).to_pylist()
    try:
        found = [_pixels(one, question["shape"]) for one in images]
    except RefusalError as refusal:
        return refusal.args[0]
    if len({len(one) for one in found}) > 1:
        return {"odd": SIZES}
    np.stack(found).tofile(PIXELS)
    return {"size": len(found[0])}


def _pixels(data: bytes, shape: list[int]) -> Any:
    import numpy as np
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(BytesIO(data), formats=_FORMATS) as image:
            mode = _MODES[shape[0] if shape else 1 if image.mode in _GREY else 3]
            if shape and [image.height, image.width] != shape[1:]:
                found = {"odd": SIZE, "height": image.height, "width": image.width}
                raise RefusalError(found)
            values = np.asarray(image.convert(mode))
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError) as error:
        raise RefusalError({"odd": FORMAT}) from error
    return (values.transpose(2, 0, 1) if mode == "RGB" else values).ravel()

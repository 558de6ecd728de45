"""The program that decodes images tells what is odd of them, and never what it read."""

from io import BytesIO

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from tasks.datasets.image_process import IMAGES, PIXELS, answer

GREY = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40


def encoded(values, form="PNG"):
    written = BytesIO()
    Image.fromarray(values).save(written, form)
    return written.getvalue()


@pytest.fixture
def decoded(tmp_path, monkeypatch):
    """What it answers about some images, and the numbers that it leaves."""
    monkeypatch.chdir(tmp_path)

    def decode(*images, shape=()):
        table = pa.table({"image": pa.array(images, pa.binary())})
        with pa.ipc.new_file(IMAGES, table.schema) as writer:
            writer.write_table(table)
        said = answer({"shape": list(shape)})
        return said, np.fromfile(PIXELS, np.uint8) if "size" in said else None

    return decode


def test_it_leaves_a_byte_for_each_pixel_and_channel(decoded):
    said, left = decoded(encoded(GREY), encoded(GREY), shape=(3, 2, 3))
    assert said == {"size": 18}
    assert np.array_equal(left.reshape(2, 3, 2, 3), np.broadcast_to(GREY, (2, 3, 2, 3)))


def test_a_jpeg_is_nearly_what_it_was(decoded):
    _, left = decoded(encoded(np.full((8, 8), 100, dtype=np.uint8), "JPEG"), shape=(1, 8, 8))
    assert np.abs(left.astype(int) - 100).max() < 3


ODD = {
    "another size": (encoded(GREY), {"odd": "size", "height": 2, "width": 3}),
    "another format": (encoded(GREY, "BMP"), {"odd": "format"}),
    "cut off": (encoded(np.zeros((4, 4), np.uint8))[:40], {"odd": "format"}),
    "no image": (b"person", {"odd": "format"}),
}


@pytest.mark.parametrize(("data", "said"), ODD.values(), ids=ODD)
def test_what_is_no_image_of_this_size_is_told_without_a_byte_of_it(decoded, data, said):
    assert decoded(data, shape=(1, 4, 4))[0] == said


def test_images_of_different_sizes_are_odd_where_no_shape_is_named(decoded):
    assert decoded(encoded(GREY), encoded(GREY.T))[0] == {"size": 6}
    assert decoded(encoded(GREY), encoded(GREY[:1]))[0] == {"odd": "sizes"}


def test_an_image_that_would_fill_the_memory_is_not_decoded(decoded, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2)
    assert decoded(encoded(GREY))[0] == {"odd": "format"}

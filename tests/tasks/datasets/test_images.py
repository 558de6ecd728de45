"""Encoded images are read as pixels, or refused in one sentence."""

from io import BytesIO

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from tasks.datasets.images import is_bytes, pixels, why_no_images
from unlearning.errors import UnfitRowsError

GREY = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
COLOUR = np.arange(18, dtype=np.uint8).reshape(2, 3, 3) * 14


def encoded(values, form="PNG"):
    written = BytesIO()
    Image.fromarray(values).save(written, form)
    return written.getvalue()


def test_pixels_come_channels_first():
    found = pixels(pa.array([encoded(COLOUR)]), (3, 2, 3), "u")
    assert np.array_equal(found[0].reshape(3, 2, 3), COLOUR.transpose(2, 0, 1))
    assert np.array_equal(pixels(pa.array([encoded(GREY)]), (1, 2, 3), "u")[0], GREY.ravel())


def test_images_take_the_channels_that_the_shape_names():
    images = pa.array([encoded(GREY), encoded(COLOUR)])
    assert pixels(images, (3, 2, 3), "u").shape == (2, 18)
    assert pixels(images, (1, 2, 3), "u").shape == (2, 6)
    assert pixels(images[:1], (), "u").shape == (1, 6)
    assert pixels(images[1:], (), "u").shape == (1, 18)


def test_images_of_different_sizes_are_refused():
    with pytest.raises(UnfitRowsError, match="different sizes"):
        pixels(pa.array([encoded(GREY), encoded(COLOUR)]), (), "u")


def test_a_jpeg_is_nearly_what_it_was():
    smooth = np.full((8, 8), 100, dtype=np.uint8)
    found = pixels(pa.array([encoded(smooth, "JPEG")]), (1, 8, 8), "u")
    assert np.abs(found - 100).max() < 3


BAD = {
    "another size": (encoded(GREY), "2 x 3 pixels in place of 4 x 4"),
    "another format": (encoded(GREY, "BMP"), "cannot be read as PNG or JPEG"),
    "cut off": (encoded(np.zeros((4, 4), np.uint8))[:40], "cannot be read as PNG or JPEG"),
    "no image": (b"person", "cannot be read as PNG or JPEG"),
}


@pytest.mark.parametrize(("data", "said"), BAD.values(), ids=BAD)
def test_what_is_no_image_of_this_size_is_refused(data, said):
    with pytest.raises(UnfitRowsError, match=said):
        pixels(pa.array([data]), (1, 4, 4), "u")


def test_bytes_are_images_where_the_shape_is_one():
    assert is_bytes(pa.binary())
    assert not is_bytes(pa.string())
    assert why_no_images((3, 8, 8)) == why_no_images((1, 8, 8)) == ""
    assert all("holds bytes" in why_no_images(one) for one in [(), (64,), (4, 8, 8)])

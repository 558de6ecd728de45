"""Encoded images are decoded in confinement, or refused in one sentence."""

from io import BytesIO

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from tasks.datasets import image_process, images
from tasks.datasets.images import is_bytes, why_no_images
from unlearning.errors import UnfitRowsError

GREY = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
COLOUR = np.arange(18, dtype=np.uint8).reshape(2, 3, 3) * 14


@pytest.fixture
def pixels(services):
    """Decodes by a process of its own."""
    yield lambda found, shape: images.pixels(pa.array(found), shape, "u", services.settings)
    images.forget()


def encoded(values, form="PNG"):
    written = BytesIO()
    Image.fromarray(values).save(written, form)
    return written.getvalue()


COLOUR_BYTES = encoded(COLOUR)


def test_pixels_come_channels_first_in_the_channels_that_the_shape_names(pixels):
    found = pixels([encoded(COLOUR)], (3, 2, 3))
    assert np.array_equal(found[0].reshape(3, 2, 3), COLOUR.transpose(2, 0, 1))
    assert np.array_equal(pixels([encoded(GREY)], (1, 2, 3))[0], GREY.ravel())
    both = [encoded(GREY), encoded(COLOUR)]
    assert pixels(both, (3, 2, 3)).shape == (2, 18)
    assert pixels(both, (1, 2, 3)).shape == (2, 6)
    assert pixels(both[:1], ()).shape == (1, 6)
    assert pixels(both[1:], ()).shape == (1, 18)


def test_what_is_no_image_of_this_size_is_refused(pixels):
    with pytest.raises(UnfitRowsError, match="different sizes"):
        pixels([encoded(GREY), encoded(COLOUR)], ())
    with pytest.raises(UnfitRowsError, match="2 x 3 pixels in place of 4 x 4"):
        pixels([encoded(GREY)], (1, 4, 4))
    with pytest.raises(UnfitRowsError, match=r"in u cannot be read as PNG or JPEG; drop its row"):
        pixels([b"person"], (1, 4, 4))


def test_no_byte_of_an_image_is_decoded_by_the_run_itself(pixels, monkeypatch):
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("it was decoded here"))
    assert pixels([COLOUR_BYTES], (3, 2, 3)).shape == (1, 18)


LIES: list = [{}, {"odd": "size", "height": "Ada"}, {"size": 7}, {"size": "Ada"}, {"size": 2}]
LIAR = f"""\
from itertools import cycle
said = cycle({LIES})


def answer(question):
    open("pixels.bin", "wb").write(b"ab")
    return next(said)
"""


def test_who_was_taken_over_while_it_decoded_is_neither_believed_nor_quoted(
    pixels, tmp_path, monkeypatch
):
    """By an image that is crafted to do so."""
    (tmp_path / "liar.py").write_text(LIAR)
    monkeypatch.setattr(image_process, "__file__", str(tmp_path / "liar.py"))
    for _ in LIES[:-1]:
        with pytest.raises(UnfitRowsError, match="An image in u cannot be read as PNG or JPEG"):
            pixels([b"a"], (1, 2, 3))
    assert pixels([b"a"], (1, 2, 1)).tolist() == [[97, 98]]


def test_bytes_are_images_where_the_shape_is_one():
    assert is_bytes(pa.binary())
    assert not is_bytes(pa.string())
    assert why_no_images((3, 8, 8)) == why_no_images((1, 8, 8)) == ""
    assert all("holds bytes" in why_no_images(one) for one in [(), (64,), (4, 8, 8)])

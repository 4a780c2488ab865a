"""Pictures are opened in one way: RGB, upright, on white, 8 bits."""

import io

import numpy as np
import pytest
from PIL import Image

from manu.core.pictures import opened

LEFT_RED = np.array([[[250, 0, 0], [0, 0, 250]]] * 2, dtype=np.uint8)  # red on the left, blue on the right


def stored(image: Image.Image, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("orientation", "shown"),
    [
        (1, LEFT_RED),
        (3, LEFT_RED[::-1, ::-1]),  # turned by half
        (6, np.rot90(LEFT_RED, -1)),  # to be turned by a quarter, clockwise
        (8, np.rot90(LEFT_RED)),
    ],
)
def test_a_picture_is_upright(orientation, shown):
    image = Image.fromarray(LEFT_RED)
    exif = image.getexif()
    exif[0x0112] = orientation
    np.testing.assert_array_equal(np.asarray(opened(stored(image, exif=exif))), shown)


def test_what_is_transparent_is_white():
    layers = np.zeros((1, 3, 4), dtype=np.uint8)
    layers[0, :, 3] = (0, 255, 51)  # transparent black, black, a fifth of black
    assert np.asarray(opened(stored(Image.fromarray(layers)))).tolist() == [[[255] * 3, [0] * 3, [204] * 3]]
    palette = Image.fromarray(np.array([[0, 1]], dtype=np.uint8), mode="P")
    palette.putpalette([10, 20, 30, 40, 50, 60])
    shown = np.asarray(opened(stored(palette, transparency=0)))
    assert shown.tolist() == [[[255] * 3, [40, 50, 60]]]
    grey = Image.fromarray(np.array([[[0, 0], [7, 255]]], dtype=np.uint8), mode="LA")
    assert np.asarray(opened(stored(grey))).tolist() == [[[255] * 3, [7] * 3]]


def test_sixteen_bits_become_eight():
    levels = np.array([[0, 257, 32896, 65535]], dtype=np.uint16)
    assert np.asarray(opened(stored(Image.fromarray(levels))))[0, :, 0].tolist() == [0, 1, 128, 255]

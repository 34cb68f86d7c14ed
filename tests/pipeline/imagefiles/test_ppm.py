"""Values that are text, or of another range: the pixels are those of Pillow's own decoder, which takes far longer."""

import io
import random

import numpy as np
import pytest
from PIL import Image

from passband.pipeline.imagefiles.base import Prepared
from passband.pipeline.images import BadImage, _to_rgb, image_size, open_image

GRAY, COLOR, CMYK = 1, 3, 4
PLAIN = {b"P1": GRAY, b"P2": GRAY, b"P3": COLOR}
RAW = {b"P5": GRAY, b"P6": COLOR, b"P0CMYK": CMYK, b"PyP": GRAY, b"PyRGBA": CMYK, b"PyCMYK": CMYK}


def pillow_pixels(encoded):
    with Image.open(io.BytesIO(encoded), formats=("PPM",)) as image:
        image.load()
        return np.asarray(_to_rgb(image, Prepared(b"")))


def written(magic, most, rng, width=5, height=4):
    """Encode random values, with comments and blanks wherever they may stand."""
    bands = (PLAIN | RAW)[magic]
    values = [rng.randrange(most + 1) for _ in range(width * height * bands)]
    sizes = b"%d #x\n %d" % (width, height) + (b"" if magic == b"P1" else b"\t%d" % most)
    head = magic + b"\n#" + b"c" * rng.randrange(40) + b"\r" + sizes + b"\n"
    if magic == b"P1":
        return head + b"".join(b"%d%s" % (value, rng.choice([b"", b" ", b"#01\n"])) for value in values)
    if magic in PLAIN:
        return head + b"".join(b"%d%s" % (value, rng.choice([b" ", b"\n", b" #9\n", b"\v\f"])) for value in values)
    return head + np.array(values, ">u2" if most > 255 else "u1").tobytes()


@pytest.mark.parametrize("magic", [*PLAIN, *RAW])
@pytest.mark.parametrize("most", [1, 7, 100, 254, 255, 256, 1023, 4095, 65534, 65535])
def test_pixels_are_those_of_pillow(magic, most):
    for seed in range(3):
        encoded = written(magic, 1 if magic == b"P1" else most, random.Random(f"{magic!r} {most} {seed}"))
        assert (np.asarray(open_image(encoded)) == pillow_pixels(encoded)).all()
        assert image_size(encoded) == (4, 5)


def test_values_above_the_range_are_white_in_bytes_and_corrupt_in_text():
    encoded = b"P5 2 1 100\n" + bytes([50, 200])
    assert (np.asarray(open_image(encoded)) == pillow_pixels(encoded)).all()
    with pytest.raises(BadImage, match="corrupt PPM"):
        open_image(b"P2 2 1 100\n50 200")


@pytest.mark.parametrize(
    "encoded",
    [
        b"P2 2 2 9\n1 2 3",
        b"P2 2 2 9\n1 2 3 x",
        b"P2 2 2 9\n1 2 3 12345678901",
        b"P2 2 2 9\n1 2 -3 4",
        b"P1 2 2\n1 0 2 1",
        b"P1 2 2\n1 0 1",
        b"P5 2 2 100\n123",
        b"P6 2 2 1000\n" + bytes(23),
        b"P5 2 2 0\n1234",
        b"P5 2 2 65536\n1234",
        b"P5 2",
        b"P5 2 99999999999 255\n",
        b"P5 -2 2 255\n1234",
    ],
)
def test_damaged_ones_are_bad_as_for_pillow(encoded):
    with pytest.raises(BadImage):
        open_image(encoded)
    with pytest.raises(Exception):  # noqa: B017, PT011  # Pillow raises what it likes
        pillow_pixels(encoded)


@pytest.mark.parametrize("filler", [b"#" + b"c" * 70_000 + b"\n", b" " * 70_000, b"#\n" * 35_000])
def test_a_header_of_any_length_is_not_read(filler):
    encoded = b"P6 " + filler + b"1 1 255\nabc"
    with pytest.raises(BadImage, match="a PPM header of more than 65,536 bytes"):
        open_image(encoded)
    assert image_size(encoded) is None


def test_a_large_one_takes_no_time():
    """Nine million values: a tenth of a microsecond each, where a loop over them takes ten times as long."""
    side = 3000
    encoded = b"P2 %d %d 254\n" % (side, side) + b"127 " * side**2
    pixels = np.asarray(open_image(encoded))
    assert pixels.shape == (side, side, 3)
    assert (pixels == round(127 / 254 * 255)).all()

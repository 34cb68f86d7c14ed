"""What stands before the first image of a GIF does not count, however long it is."""

import io

import numpy as np
import pytest
from PIL import Image

from passband.pipeline.imagefiles import gif
from passband.pipeline.images import BadImage, image_size, open_image

LONG = b"\x21\xfe" + (b"\xff" + b"c" * 255) * 400 + b"\0"
CLEAR = b"\x21\xf9\4\1\0\0\1\0"


def encoded(transparent=False):
    image = Image.new("P", (6, 4), 0)
    image.putpalette([200, 10, 20, 0, 90, 0])
    image.putpixel((1, 1), 1)
    file = io.BytesIO()
    image.save(file, "GIF", **({"transparency": 1} if transparent else {}))
    return file.getvalue()


def with_blocks(content, *blocks):
    at = content.index(b"\x21" if b"\x21\xf9" in content else b",", 13)
    return content[:at] + b"".join(blocks) + content[at:]


@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize("blocks", [[LONG], [LONG, b"xyz"], [b"\x21\xff\x0bNETSCAPE2.0\3\1\0\0\0", LONG], [LONG, LONG]])
def test_pixels_do_not_depend_on_comments(transparent, blocks):
    sound = encoded(transparent)
    longer = with_blocks(sound, *blocks)
    assert len(gif.prepare(longer)) < len(longer) - 100_000
    assert (np.asarray(open_image(longer)) == np.asarray(open_image(sound))).all()
    assert image_size(longer) == (4, 6)


@pytest.mark.parametrize("controls", [[CLEAR], [CLEAR, b"\x21\xf9\4\0\0\0\0\0"], [b"\x21\xf9\4\0\0\0\0\0", CLEAR]])
def test_the_transparent_color_is_that_of_the_last_control_that_has_one(controls):
    longer = with_blocks(encoded(), *controls, LONG)
    short = with_blocks(encoded(), *controls)
    assert (np.asarray(open_image(longer)) == np.asarray(open_image(short))).all()
    assert (np.asarray(open_image(longer))[1, 1] == 255).all()


@pytest.mark.parametrize("content", [encoded()[:19] + LONG, encoded()[:19] + LONG[:-1], encoded()[:19] + LONG + b";"])
def test_without_an_image_it_is_bad(content):
    with pytest.raises(BadImage, match="GIF"):
        open_image(content)


def test_a_short_one_is_left_as_it_is():
    assert gif.prepare(encoded()) == encoded()

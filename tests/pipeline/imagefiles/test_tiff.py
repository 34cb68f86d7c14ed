import io

import numpy as np
import pytest
import tifffile

from passband.pipeline.images import image_size, open_image
from tests.pipeline.imagefiles.pictures import case, colors, reason, tiff


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("arguments", "options", "expected"),
    [
        ((16, 13, 1), {"extra": [0] * 12}, "13 bands; 1, 3 or 4 are read"),
        ((8, 2, 1), {"extra": [0]}, "2 bands; 1, 3 or 4 are read"),
        ((8, 2, 1), {}, "2 bands; 1, 3 or 4 are read"),
        ((8, 5, 2), {"extra": [0, 0]}, "5 bands; 1, 3 or 4 are read"),  # Pillow drops the fourth and the fifth
        ((32, 3, 2), {"form": 3}, "float values; 8 or 16 bits are read"),
        ((64, 1, 1), {"form": 3}, "float values; 8 or 16 bits are read"),
        ((16, 1, 1), {"form": 3}, "float values; 8 or 16 bits are read"),
        ((32, 3, 2), {}, "32-bit values; 8 or 16 bits are read"),
        ((32, 3, 2), {"form": 2}, "signed values; 8 or 16 bits are read"),
        ((8, 1, 1), {"form": 2}, "signed values; 8 or 16 bits are read"),  # Pillow takes -1 for 255
        ((64, 1, 1), {"form": 6}, "complex values; 8 or 16 bits are read"),
        ((8, 1, 1), {"form": 4}, "untyped values; 8 or 16 bits are read"),
        ((10, 1, 1), {}, "10-bit values; 8 or 16 bits are read"),
        ((8, 3, 1), {}, "3 bands that are not marked as colors"),
        ((16, 1, 0), {}, "16-bit values with white as zero; not read"),  # Pillow does not invert them
        ((8, 1, 1), {"compression": 34887}, "TIFF compression 34887; not read"),
        ((16, 1, 32803), {}, "TIFF photometric interpretation 32803; not read"),
    ],
)
def test_what_is_not_read_is_named(arguments, options, expected, order):
    assert reason(tiff(*arguments, order=order, **options)) == expected


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("arguments", "options", "expected"),
    [
        ((1, 1, 1), {"size": (1, 8)}, 0),
        ((8, 1, 0), {}, 255),
        ((8, 1, 1), {}, 0),
        ((16, 1, 1), {}, 0),
        ((16, 1, 1), {"form": 2}, 0),
        ((32, 1, 1), {"form": 2}, 0),
        ((32, 1, 1), {"form": 3}, 0),
        ((8, 2, 1), {"extra": [2]}, 255),
        ((8, 3, 2), {}, 0),
        ((16, 3, 2), {}, 0),
        ((8, 4, 2), {"extra": [0]}, 0),
        ((8, 4, 2), {"extra": [2]}, 255),
        ((16, 4, 2), {"extra": [2]}, 255),
        ((8, 4, 5), {}, 255),
        ((8, 3, 6), {}, 135),
    ],
)
def test_what_is_read(arguments, options, expected, order):
    content = tiff(*arguments, order=order, **options)
    assert {color[1] for color in colors(content)} == {expected}
    assert image_size(content) == open_image(content).size[::-1]


def test_cases():
    assert reason(case("rgbf.tif")) == "float values; 8 or 16 bits are read"
    assert reason(tiff(32, 1, 1, order=">")) == "big-endian 32-bit values; not read"
    assert reason(b"II*\0" + bytes(30)) == "corrupt TIFF"


@pytest.mark.parametrize("bands", [7, 13, 300])
def test_sizes_are_told_without_a_word_from_pillow(bands, capfd, caplog):
    assert image_size(tiff(16, bands, 1, extra=[0] * (bands - 1))) is None
    assert image_size(tiff(8, 3, 2, size=(2, 3))) == (2, 3)
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("tile", [None, (16, 16)])
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize(
    ("bands", "bits", "extra"),
    [(3, 8, None), (3, 16, None), *((4, bits, extra) for bits in (8, 16) for extra in ("unassalpha", "unspecified"))],
)
def test_planes_one_after_the_other_are_read_right_or_named(bands, bits, extra, compression, tile, order):
    values = np.random.default_rng(0).integers(0, 2**bits, (20, 24, bands)).astype(f"u{bits // 8}")
    values[..., 3:] = 2**bits - 1
    file = io.BytesIO()
    with tifffile.TiffWriter(file, byteorder=order) as writer:
        planes = np.ascontiguousarray(values.transpose(2, 0, 1))
        options = {"extrasamples": [extra]} if extra else {}
        writer.write(planes, photometric="rgb", planarconfig="separate", compression=compression, tile=tile, **options)
    if compression is None and (bits == 16 or extra == "unspecified"):
        assert reason(file.getvalue()) == f"{bands} uncompressed planes of {bits} bits; not read"
    else:
        np.testing.assert_array_equal(np.asarray(open_image(file.getvalue())), values[..., :3] >> (bits - 8))

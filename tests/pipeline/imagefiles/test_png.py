import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from passband.pipeline.images import image_size, native_pixels, open_image
from tests.pipeline.imagefiles.pictures import case, chunk, colors, encoded, noise, png, reason

ROWS = b"\0" + bytes([10, 20, 30, 40, 50, 60])
PIXELS = [(10, 20, 30), (40, 50, 60)]
WHITE = (255, 255, 255)


def damaged(kind, content=b"some content"):
    return chunk(kind, content)[:-1] + b"!"


@pytest.mark.parametrize("name", ["big_ztxt.png", "big_iccp.png", "badcrc_text.png"])
def test_text_profiles_and_their_damage_do_not_matter(name):
    assert colors(case(name)) == [(10, 20, 30)] * 2


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"eXIf", b"gAMA", b"pHYs", b"tIME", b"acTL"])
def test_damage_outside_the_pixels_does_not_matter_before_them_or_after(kind):
    assert colors(png(2, 1, 8, 2, ROWS, damaged(kind))) == PIXELS
    whole = png(2, 1, 8, 2, ROWS)
    assert colors(whole[:-12] + damaged(kind) + whole[-12:]) == PIXELS
    for content in (b"", b"\0", b"\xff" * 40):  # the checksum is right, the content is not
        assert colors(png(2, 1, 8, 2, ROWS, chunk(kind, content))) == PIXELS


@pytest.mark.parametrize("name", [b"comment", b"XML:com.adobe.xmp", b"Raw profile type exif"])
def test_texts_of_any_size_do_not_matter(name):
    bomb = zlib.compress(bytes(3_000_000))
    texts = [
        chunk(b"zTXt", name + b"\0\0" + bomb),
        chunk(b"iTXt", name + b"\0\1\0\0\0" + bomb),
        chunk(b"tEXt", name + b"\0" + b"x" * 3_000_000),
        chunk(b"iTXt", name + b"\0\0\0\0\0" + b"x" * 3_000_000),
        chunk(b"zTXt", name + b"\0\0" + b"no zlib"),
    ]
    for text in texts:
        assert colors(png(2, 1, 8, 2, ROWS, text)) == PIXELS
    assert colors(png(2, 1, 8, 2, ROWS, *([chunk(b"zTXt", name + b"\0\0" + zlib.compress(bytes(900_000)))] * 90)))


@pytest.mark.parametrize("kind", [b"PLTE", b"tRNS", b"tRNs", b"ABCD"])
def test_damage_to_what_makes_pixels_or_has_lost_its_name_is_corrupt(kind):
    assert reason(png(2, 1, 8, 2, ROWS, damaged(kind))) == "corrupt PNG"


def test_a_damaged_header_or_pixels_are_corrupt():
    whole = png(2, 1, 8, 2, ROWS)
    for position in (20, 29, whole.index(b"IDAT") + 6, whole.index(b"IEND") - 5):
        flipped = bytearray(whole)
        flipped[position] ^= 1
        assert reason(bytes(flipped)) == "corrupt PNG"
    assert reason(png(2, 1, 8, 3, b"\0\0\0")) == "corrupt PNG"  # no palette
    assert reason(chunk(b"IHDR").join([b"\x89PNG\r\n\x1a\n", b""])) == "corrupt PNG"
    assert reason(whole[:8] + chunk(b"CgBI", bytes(4)) + whole[8:]) == "Apple's CgBI variant of PNG; not read"


def test_a_cut_matters_where_it_takes_pixels():
    whole = encoded(noise(5, 4))
    end = len(whole) - 12  # of the last chunk of pixels, with its checksum
    for cut in range(8, end):
        assert reason(whole[:cut]) == "truncated PNG"
    for cut in range(end, len(whole)):
        np.testing.assert_array_equal(np.asarray(open_image(whole[:cut])), np.asarray(noise(5, 4)))
    packed = zlib.compress(np.insert(np.asarray(noise(5, 4)).reshape(5, 12), 0, 0, axis=1).tobytes())
    two = png(4, 5, 8, 2, b"").replace(chunk(b"IDAT", zlib.compress(b"")), chunk(b"IDAT", packed[:30]))
    assert reason(two) == "truncated PNG"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("g2.png", [0, 255, 170, 255]),
        ("g4.png", [255, 170]),
        ("rgb16.png", [WHITE, (255, 0, 0)]),
        ("rgb16b.png", [(52, 120, 188), (255, 0, 0)]),
    ],
)
def test_transparent_values_of_the_cases_show_white(name, expected):
    assert colors(case(name)) == [value if isinstance(value, tuple) else (value,) * 3 for value in expected]


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("extra", [0, 0x8000])
def test_a_transparent_gray_is_compared_at_its_own_depth(depth, extra):
    values = [0, 1] if depth == 1 else [0, 1, 2, 2**depth - 1]
    bits = "".join(f"{value:0{depth}b}" for value in values).ljust(8, "0")
    rows = (
        b"\0" + int(bits, 2).to_bytes(-(-len(bits) // 8), "big")
        if depth < 8
        else b"\0" + struct.pack(f">{len(values)}{'B' if depth == 8 else 'H'}", *values)
    )
    for key in values:
        declared = key if depth == 16 else key | extra  # what is above the depth does not count
        shown = [value >> 8 if depth == 16 else value * 255 // (2**depth - 1) for value in values]
        expected = [255 if value == key else gray for value, gray in zip(values, shown, strict=True)]
        content = png(len(values), 1, depth, 0, rows, chunk(b"tRNS", struct.pack(">H", declared)))
        assert colors(content) == [(gray,) * 3 for gray in expected]


def test_a_transparent_color_of_16_bits_is_compared_at_16_bits_also_interlaced():
    values = np.random.default_rng(0).integers(0, 3, (9, 7, 3)) * 0x0101
    values = values.astype(">u2")
    values[2, 3] = (0x0101, 0x0100, 0x0101)
    values[4, 4] = (0x0101, 0x0101, 0x0101)
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    adam7 = b"".join(
        b"\0" + row.tobytes() for top, left, down, right in passes for row in values[top::down, left::right] if row.size
    )
    expected = (values >> 8).astype(np.uint8)
    expected[(values == 0x0101).all(axis=-1)] = 255
    assert (expected == 255).all(axis=-1).sum() < 63 // 2
    for interlace, packed in ((0, rows), (1, adam7)):
        content = png(7, 9, 16, 2, packed, chunk(b"tRNS", b"\1\1" * 3), interlace=interlace)
        np.testing.assert_array_equal(native_pixels(open_image(content)), expected)


def test_transparency_of_a_wrong_length_is_corrupt_and_where_it_has_no_place_ignored():
    for color, rows in ((0, b"\0\1\2"), (2, ROWS)):
        assert reason(png(2, 1, 8, color, rows, chunk(b"tRNS", b"\0\1\0"))) == "corrupt PNG"
    assert colors(png(2, 1, 8, 6, b"\0" + bytes([1, 2, 3, 255] * 2), chunk(b"tRNS", bytes(6)))) == [(1, 2, 3)] * 2
    whole = png(2, 1, 8, 2, ROWS)
    assert colors(whole[:-12] + chunk(b"tRNS", bytes([0, 10, 0, 20, 0, 30])) + whole[-12:]) == PIXELS  # too late
    assert colors(png(2, 1, 8, 2, ROWS, chunk(b"tRNS", bytes([0, 10, 0, 20, 0, 30])))) == [WHITE, PIXELS[1]]


def test_palettes_keep_their_transparency():
    palette = chunk(b"PLTE", bytes([10, 20, 30, 40, 50, 60]))
    assert colors(png(2, 1, 8, 3, b"\0\0\1", palette)) == PIXELS
    assert colors(png(2, 1, 8, 3, b"\0\0\1", palette, chunk(b"tRNS", b"\0"))) == [WHITE, PIXELS[1]]
    assert colors(png(2, 1, 1, 3, b"\0\x40", palette, chunk(b"tRNS", b"\xff\0"))) == [PIXELS[0], WHITE]


def test_transparent_and_16_bit_images_are_turned_too():
    exif = Image.Exif()
    exif[0x0112] = 6
    turn = chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
    for depth, color, rows, key in ((8, 2, ROWS, bytes(6)), (16, 0, b"\0" + bytes([10, 0, 20, 0]), bytes(2))):
        for others in ([turn], [turn, chunk(b"tRNS", key)]):
            content = png(2, 1, depth, color, rows, *others)
            image = open_image(content)
            assert image.size == (1, 2)
            assert image.getpixel((0, 0))[0] == 10
            assert image_size(content) == (2, 1)


def test_the_orientation_in_a_text_is_kept():
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="6"/></x:xmpmeta>'
    exif = Image.Exif()
    exif[0x0112] = 6
    packed = f"\nexif\n{len(exif.tobytes()):8}\n{exif.tobytes().hex()}\n".encode()
    for text in (
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(xmp)),
        chunk(b"tEXt", b"Raw profile type exif\0" + packed),
        chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(packed)),
    ):
        content = png(2, 1, 8, 2, ROWS, text)
        assert open_image(content).size == (1, 2)
        assert image_size(content) == (2, 1)

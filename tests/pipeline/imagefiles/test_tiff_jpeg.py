"""Damage in JPEG inside TIFF; where libtiff prints, the file is bad and is not handed to it."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from passband.pipeline.images import BadImage, open_image
from tests.pipeline.imagefiles.pictures import encoded, reason, waves

MODES = ("L", "LA", "RGB", "RGBA", "CMYK", "YCbCr")


def written(mode="RGB", rows=16, height=40, width=32):
    """Return a TIFF whose strips are JPEG, the tables apart, as libtiff writes them."""
    return encoded(waves(height, width).convert(mode), "TIFF", compression="jpeg", tiffinfo={278: rows})


def tiled(size, tile, *, kind=7, replaced=None):
    """Return a gray TIFF, width and height `size`, of two tiles or more that are JPEG files; `replaced` by number."""
    (width, height), (across, down) = size, tile
    count = -(-width // across) * -(-height // down)
    parts = [encoded(waves(down, across, 1, seed), "JPEG") for seed in range(count)]
    parts = [(replaced or {}).get(number, part) for number, part in enumerate(parts)]
    tags = {256: width, 257: height, 258: 8, 259: kind, 262: 1, 277: 1, 322: across, 323: down}
    first = 8 + 2 + 12 * (len(tags) + 2) + 4
    begins = [first + 8 * count + sum(map(len, parts[:number])) for number in range(count)]
    fields = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    fields += struct.pack("<HHII", 324, 4, count, first) + struct.pack("<HHII", 325, 4, count, first + 4 * count)
    lists = struct.pack(f"<{2 * count}I", *begins, *map(len, parts))
    return b"II*\0" + struct.pack("<IH", 8, len(tags) + 2) + fields + bytes(4) + lists + b"".join(parts)


def strips(content):
    """Return where each strip begins and of how many bytes it is."""
    tags = Image.open(io.BytesIO(content)).tag_v2
    return list(zip(tags[273], tags[279], strict=True))


def coded(content, begin):
    """Return where the coded bytes of a strip begin."""
    at = content.index(b"\xff\xda", begin)
    return at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("rows", [8, 16, 40])
def test_good_files_are_read_without_a_word(mode, rows, capfd, caplog):
    content = written(mode, rows)
    shown = open_image(content)
    if mode in ("L", "RGB", "CMYK"):
        np.testing.assert_array_equal(np.asarray(shown), np.asarray(Image.open(io.BytesIO(content)).convert("RGB")))
    assert shown.size == (32, 40)
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


@pytest.mark.parametrize("mode", MODES)
def test_damage_in_any_strip_is_found_and_nothing_is_printed(mode, capfd):
    whole = written(mode)
    assert len(strips(whole)) == 3
    for begin, num_bytes in strips(whole):
        start, end = coded(whole, begin), begin + num_bytes
        middle = (start + end) // 2
        for damaged in (
            whole[:start] + bytes(end - start) + whole[end:],  # as a disc leaves what was never written
            whole[:begin] + bytes(num_bytes) + whole[end:],
            whole[:middle] + b"\xff\xd9" + whole[middle + 2 :],
            whole[:middle] + b"\xff\xd0" + whole[middle + 2 :],
        ):
            assert reason(damaged).startswith("corrupt TIFF")
    assert capfd.readouterr() == ("", "")


def test_a_file_cut_in_a_strip_is_truncated():
    whole = written()
    begin, num_bytes = strips(whole)[-1]
    content = bytearray(whole)
    at = whole.index(struct.pack("<I", begin))
    content[at : at + 4] = struct.pack("<I", len(whole) - num_bytes + 1)
    assert reason(bytes(content)) == "truncated TIFF"


def test_tiles_are_checked_like_strips(capfd):
    whole = tiled((40, 24), (16, 16))
    image = open_image(whole)
    assert image.size == (40, 24)
    expected = np.asarray(Image.open(io.BytesIO(encoded(waves(16, 16, 1, 0), "JPEG"))))
    np.testing.assert_array_equal(np.asarray(image)[:16, :16, 0], expected)
    for number in range(6):
        part = encoded(waves(16, 16, 1, number), "JPEG")
        start = coded(part, 0)
        damaged = tiled((40, 24), (16, 16), replaced={number: part[:start] + bytes(len(part) - start)})
        assert reason(damaged).startswith("corrupt TIFF")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("size", [(8, 16), (16, 8), (16, 24), (24, 16)])
def test_a_part_of_another_size_is_damage(size, capfd):
    other = encoded(waves(*size, 1), "JPEG")
    assert reason(tiled((32, 32), (16, 16), replaced={2: other})) == "corrupt TIFF: a part of another size"
    assert capfd.readouterr() == ("", "")


def test_kinds_that_are_not_read_are_named():
    assert reason(tiled((32, 16), (16, 16), kind=6)) == "old-style JPEG in TIFF; not read"
    color = encoded(waves(16, 16), "JPEG")
    assert reason(tiled((32, 16), (16, 16), replaced={0: color})) == "3 components in a JPEG; 1 are read"


def test_flipped_files_only_ever_raise_bad_image(capfd):
    whole, tried, bad = written(rows=8), 0, 0
    for position in range(len(whole)):
        flipped = bytearray(whole)
        flipped[position] ^= 0x55
        tried += 1
        try:
            open_image(bytes(flipped))
        except BadImage:
            bad += 1
    assert tried == len(whole)
    assert bad > tried // 10

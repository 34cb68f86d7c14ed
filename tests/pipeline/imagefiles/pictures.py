"""Small pictures, encoded by libraries and by hand."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from passband.pipeline.images import BadImage, open_image

CASES = Path(__file__).with_name("cases")
"""Files that other tools read wrongly or not at all."""


def case(name):
    return (CASES / name).read_bytes()


def encoded(image, form="PNG", **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def noise(height, width, channels=3, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)
    return Image.fromarray(pixels.squeeze(2) if channels == 1 else pixels)


def waves(height, width, channels=3, seed=0):
    """Return an image that compresses like a photograph; four channels are CMYK."""
    y, x = np.mgrid[:height, :width]
    grain = np.random.default_rng(seed).normal(0, 10, (channels, height, width))
    planes = [127 + 120 * np.sin((x * (c + 1) + 2 * y) / (7 + c)) + grain[c] for c in range(channels)]
    pixels = np.stack(planes, axis=-1).clip(0, 255).astype(np.uint8)
    if channels == 4:
        return Image.merge("CMYK", [Image.fromarray(pixels[..., c]) for c in range(4)])
    return Image.fromarray(pixels.squeeze(2) if channels == 1 else pixels)


def chunk(kind, content=b""):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width, height, depth, color, rows, *others, interlace=0):
    """Build a PNG by hand: forged sizes, and kinds that Pillow cannot write."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace)
    chunks = [chunk(b"IHDR", header), *others, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def tiff(bits, bands, photometric, *, form=None, extra=None, compression=1, order="<", size=(2, 2)):
    """Build an uncompressed TIFF of zeros by hand."""
    content = bytes(size[0] * size[1] * bands * bits // 8)
    tags = {256: [size[1]], 257: [size[0]], 258: [bits] * bands, 259: [compression], 262: [photometric], 277: [bands]}
    tags |= {278: [size[0]], 279: [len(content)]} | ({339: [form] * bands} if form else {})
    tags |= {338: extra} if extra is not None else {}
    after = 8 + 2 + 12 * (len(tags) + 1) + 4
    blobs, fields = b"", b""
    tags[273] = [after + sum(2 * len(values) for values in tags.values() if len(values) > 2)]
    for tag, values in sorted(tags.items()):
        kind = "H" if len(values) > 1 or tag in (258, 259, 262, 277, 338, 339) else "I"
        raw = struct.pack(order + kind * len(values), *values)
        if len(raw) > 4:
            raw, blobs = struct.pack(order + "I", after + len(blobs)), blobs + raw
        fields += struct.pack(order + "HHI", tag, 3 if kind == "H" else 4, len(values)) + raw.ljust(4, b"\0")
    start = b"II*\0" if order == "<" else b"MM\0*"
    return start + struct.pack(order + "IH", 8, len(tags)) + fields + bytes(4) + blobs + content


def reason(content):
    with pytest.raises(BadImage) as caught:
        open_image(content)
    assert str(caught.value) == caught.value.reason
    assert len(caught.value.reason) <= 50
    return caught.value.reason


def colors(content):
    """Return the pixels of an image of one row."""
    image = open_image(content)
    assert image.mode == "RGB"
    return [image.getpixel((x, 0)) for x in range(image.width)]

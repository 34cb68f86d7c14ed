"""PNG of 8-bit RGB images, written so that the bytes do not depend on the processor.

The encoders inside Pillow and OpenCV wheels deflate with zlib-ng, which finds other matches with other vector
widths. Here a stream is run lengths and Huffman codes only, made by Python's own zlib; no matches are searched for.
Layout, from the PNG specification (third edition, sections 5 and 9)::

    signature | IHDR | one IDAT: zlib stream of H rows of (filter type, W * 3 bytes) | IEND

Every row of an image has the same filter type: 0 (none) or 2 (up), whichever leaves the smaller sum of absolute
values (section 12.7; all rows alike, so that a decoder needs one cumulative sum).
"""

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
NONE, UP = 0, 2
CACHED_BYTES = 1 << 20  # images filtered at once, so that a pass stays in the cache


def encode_png(pixels_nhwc: NDArray[np.uint8]) -> list[bytes]:
    """Encode a batch of RGB images of one size.

    Parameters
    ----------
    pixels_nhwc : (N, H, W, 3) uint8

    Returns
    -------
    N PNG files; each is a function of its own pixels and of the zlib library, not of the batch.
    """
    _, height, width, _ = pixels_nhwc.shape
    head = SIGNATURE + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    tail = _chunk(b"IEND", b"")
    block = max(1, CACHED_BYTES // max(1, height * width * 3))
    encoded = []
    for start in range(0, len(pixels_nhwc), block):
        for rows in _filtered(pixels_nhwc[start : start + block]):
            encoded.append(head + _chunk(b"IDAT", _deflate(rows)) + tail)
    return encoded


def decode_png(encoded: bytes) -> NDArray[np.uint8]:
    """Return the (H, W, 3) uint8 pixels of a PNG file.

    Any PNG that Pillow can turn into RGB is read; the ones that `encode_png` wrote, faster.

    Raises
    ------
    ValueError
        If a checksum, the length or the content is wrong; nothing may follow the image.
    """
    chunks = list(_chunks(encoded))
    names = [name for name, _ in chunks]
    if names == [b"IHDR", b"IDAT", b"IEND"]:
        pixels = _unfiltered(chunks[0][1], chunks[1][1])
        if pixels is not None:
            return pixels
    try:
        with Image.open(io.BytesIO(encoded), formats=["PNG"]) as image:
            return np.array(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"PNG: cannot be decoded: {error}") from error


def _chunk(name: bytes, body: bytes) -> bytes:
    return b"".join((struct.pack(">I", len(body)), name, body, struct.pack(">I", zlib.crc32(body, zlib.crc32(name)))))


def _deflate(rows: NDArray[np.uint8]) -> bytes:
    compressor = zlib.compressobj(level=1, strategy=zlib.Z_RLE)
    return compressor.compress(rows.data) + compressor.flush()


def _filtered(pixels_nhwc: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Yield (H, 1 + W * 3) filtered rows of every image, its filter type in column 0."""
    number, height, width, channels = pixels_nhwc.shape
    plain = np.empty((number, height, 1 + width * channels), np.uint8)
    plain[:, :, 0] = NONE
    plain[:, :, 1:] = pixels_nhwc.reshape(number, height, width * channels)
    up = plain.copy()
    up[:, 1:] -= plain[:, :-1]
    sums = [np.minimum(rows, -rows).reshape(number, -1).sum(axis=1, dtype=np.int64) for rows in (plain, up)]
    up[:, :, 0] = UP
    for index in range(number):
        yield plain[index] if sums[0][index] < sums[1][index] else up[index]


def _chunks(encoded: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield name and body of every chunk, its checksum verified."""
    view = memoryview(encoded)
    if view[:8] != SIGNATURE:
        raise ValueError("PNG: the signature is missing")
    position, name = 8, b""
    while name != b"IEND":
        if position + 12 > len(view):
            raise ValueError(f"PNG: truncated at byte {len(view)}")
        size = int.from_bytes(view[position : position + 4], "big")
        end = position + 8 + size
        if end + 4 > len(view):
            raise ValueError(f"PNG: a chunk of {size} bytes at byte {position} runs past the end")
        if zlib.crc32(view[position + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            raise ValueError(f"PNG: wrong checksum of the chunk at byte {position}")
        name = bytes(view[position + 4 : position + 8])
        yield name, view[position + 8 : end]
        position = end + 4
    if position != len(view):
        raise ValueError(f"PNG: {len(view) - position} bytes after the end")


def _unfiltered(header: memoryview, body: memoryview) -> NDArray[np.uint8] | None:
    """Return the pixels, or None if the file uses more of PNG than `encode_png` does."""
    if len(header) != 13:
        raise ValueError("PNG: the header is not 13 bytes long")
    width, height, *rest = struct.unpack(">IIBBBBB", header)
    if rest != [8, 2, 0, 0, 0]:
        return None
    rows = _inflate(body, height * (1 + width * 3)).reshape(height, 1 + width * 3)
    pixels = rows[:, 1:].copy()
    if (rows[:, 0] == UP).all():
        np.add.accumulate(pixels, axis=0, out=pixels)
    elif (rows[:, 0] != NONE).any():
        return None
    return pixels.reshape(height, width, 3)


def _inflate(body: memoryview, size: int) -> NDArray[np.uint8]:
    inflater = zlib.decompressobj()
    try:
        content = inflater.decompress(body, size + 1)  # never more, whatever the stream claims
    except zlib.error as error:
        raise ValueError(f"PNG: {error}") from error
    if len(content) != size or not inflater.eof or inflater.unused_data:
        raise ValueError(f"PNG: the image is not {size} bytes long")
    return np.frombuffer(content, np.uint8)

"""BMP: packed pixels are unpacked by Pillow one by one, so that there may not be too many of them."""

import struct

from passband.pipeline.imagefiles.base import BadImage

_MAX_PACKED_PIXELS = 16_000_000
_SIZE, _PACKING = 18, 30  # where width and height stand, and how pixels are packed
_RUN_LENGTHS = (1, 2)


def check(encoded: bytes) -> None:
    """Raise BadImage for a large image of packed pixels; nothing is said about others."""
    if len(encoded) < _PACKING + 4 or encoded[14] < 40:
        return
    width, height = struct.unpack_from("<ii", encoded, _SIZE)
    (packing,) = struct.unpack_from("<I", encoded, _PACKING)
    if packing in _RUN_LENGTHS and abs(width * height) > _MAX_PACKED_PIXELS:
        raise BadImage("run-length BMP of more than 16 Mpixel; not read")

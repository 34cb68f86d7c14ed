"""GIF: what stands before the first image is kept short; comments of megabytes are read piece by piece otherwise."""

import re

from passband.pipeline.imagefiles.base import BadImage

_SCREEN = 13  # bytes before the global palette
_FAR = 2**16  # an image that begins before it is left as it is
_CONTROL = 0xF9
_MAX_BLOCKS = 2_000_000
_KNOWN = re.compile(rb"[!,;]")


def prepare(encoded: bytes) -> bytes:
    """Return a file with the same first image, and of what is said before it only which color is transparent."""
    if len(encoded) <= _FAR:
        return encoded
    start = _SCREEN + (3 << (encoded[10] & 7) + 1 if encoded[10] & 128 else 0)
    found = _first_image(encoded, start)
    if found is None or found[0] <= _FAR:
        return encoded  # what is wrong with it, the decoder says
    return b"".join([encoded[:start], found[1], encoded[found[0] :]])


def _first_image(encoded: bytes, at: int) -> tuple[int, bytes] | None:
    """Return where the first image begins and the last control before it that has a transparent color."""
    control = b""
    for _ in range(_MAX_BLOCKS):
        match = _KNOWN.search(encoded, at)  # anything else is passed over, as by the decoder
        if match is None or match[0] == b";":
            return None
        if match[0] == b",":
            return match.start(), control
        end = _after_blocks(encoded, match.start() + 2)
        if end is None:
            return None
        block = encoded[match.start() : end]
        if block[1:2] == bytes([_CONTROL]) and len(block) > 3 and block[3] & 1:
            control = block
        at = end
    raise BadImage(f"more than {_MAX_BLOCKS:,} blocks in a GIF")


def _after_blocks(encoded: bytes, at: int) -> int | None:
    """Return where what follows upon a run of blocks begins, each of which tells its length; None at the end."""
    while at < len(encoded):
        if not (length := encoded[at]):
            return at + 1
        at += length + 1
    return None

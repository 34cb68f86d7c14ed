"""Image files that are too large to be read: what stands for one, so that it is recorded like any other bad image."""

MAX_IMAGE_BYTES = 256 * 2**20
"""Files with more bytes than this are bad: 64 Mpixel of four bytes each, as nothing but pixels."""
_START = b"\0passband: an image file of "
REASON = "larger than 256 MB; not read"


def stand_in(num_bytes: int) -> bytes:
    """Return what a source hands out in place of a file of so many bytes; it decodes to `BadImage`."""
    return _START + f"{num_bytes} bytes".encode()


def is_stand_in(encoded: bytes) -> bool:
    """Tell whether these are not the bytes of a file, but stand for one that is too large."""
    return encoded.startswith(_START)

"""What the formats share: the error with its reason, the limit of size, and what is handed to the decoder."""

from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_PIXELS = 64_000_000
"""Images with more pixels than this are bad; known from the header, before any pixel is decoded."""


MAX_SIDE = 1_000_000
"""So are those with a longer side: a row takes memory of its own, as much as three pixels."""


class BadImage(ValueError):
    """Bytes that cannot become an image.

    Attributes
    ----------
    reason : str
        Short, and the same for the same bytes: it is recorded beside the sample's key.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Prepared:
    """An encoded image as the decoder gets it.

    Attributes
    ----------
    content : bytes
        The file; of PNG and JPEG without what does not bear on the pixels.
    info : mapping
        Metadata that bear on the orientation, by the names that Pillow gives them.
    transparent : tuple of int, or None
        The grey value or the color, at the file's own bit depth, that a PNG declares transparent.
    """

    content: bytes
    info: Mapping[str, bytes | str] = field(default_factory=dict)
    transparent: tuple[int, ...] | None = None


def check_size(width: int, height: int) -> None:
    """Raise BadImage for a size without pixels or with more than `MAX_PIXELS`."""
    if width * height > MAX_PIXELS:
        raise BadImage("more than 64 Mpixel")
    if width * height == 0:
        raise BadImage("no pixels")


def check_sides(width: int, height: int) -> None:
    """Raise BadImage for a side above `MAX_SIDE`."""
    if max(width, height) > MAX_SIDE:
        raise BadImage(f"a side of more than {MAX_SIDE:,} pixels")

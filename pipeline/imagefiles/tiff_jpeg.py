"""JPEG inside TIFF: each strip or tile is a JPEG file, but for its tables, which stand once for all.

As of JPEG files, the decoder hands out pixels for what is damaged, and libtiff prints what it thinks of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from passband.pipeline.imagefiles import jpeg
from passband.pipeline.imagefiles.base import BadImage, check_size

COMPRESSION = 7
_WIDTH, _HEIGHT, _PLANES, _BANDS, _TABLES = 256, 257, 284, 277, 347
_STRIPS = (273, 279)  # tags of where they begin and of how many bytes they have
_ROWS = 278
_TILES, _TILE_WIDTH, _TILE_HEIGHT = (324, 325), 322, 323
_BAND_BY_BAND = 2
_MAX_SEGMENTS = 20_000  # 64 Mpixel in tiles of 64 x 64 are fewer
_START, _END = b"\xff\xd8", b"\xff\xd9"
_CORRUPT = "corrupt TIFF"


@dataclass(frozen=True)
class Segments:
    """The strips or tiles of an image.

    Attributes
    ----------
    places : where each begins, and of how many bytes it is
    tables : a JPEG without a frame, or b""
    size : width and height of the image
    segment_size : width and height of a tile; of a strip, the last of which may end where the image does
    is_tiled, is_apart : tiles instead of strips; each band has segments of its own
    bands : how many
    """

    places: Sequence[tuple[int, int]]
    tables: bytes
    size: tuple[int, int]
    segment_size: tuple[int, int]
    is_tiled: bool
    is_apart: bool
    bands: int


def segments(tags: Any) -> Segments:
    """Return what the tags of a directory say; raise an error of nearly any type for damaged ones."""
    width, height = int(tags[_WIDTH]), int(tags[_HEIGHT])
    is_tiled = _TILE_WIDTH in tags
    if is_tiled:
        segment_size = int(tags[_TILE_WIDTH]), int(tags[_TILE_HEIGHT])
    else:
        segment_size = width, min(int(tags.get(_ROWS, height)), height)
    offsets, counts = (tuple(map(int, tags[tag])) for tag in (_TILES if is_tiled else _STRIPS))
    is_apart, bands = tags.get(_PLANES, 1) == _BAND_BY_BAND, int(tags.get(_BANDS, 1))
    places = tuple(zip(offsets, counts, strict=True))
    return Segments(places, bytes(tags.get(_TABLES, b"")), (width, height), segment_size, is_tiled, is_apart, bands)


def check(encoded: bytes, found: Segments) -> None:
    """Walk the coded bytes of every strip or tile.

    Raises
    ------
    BadImage
        One is damaged, cut short, of another size, or missing.
    """
    (width, height), (across, down) = found.size, found.segment_size
    check_size(width, height)
    check_size(across, down)
    columns, rows = -(-width // across), -(-height // down)
    if len(found.places) > _MAX_SEGMENTS:
        raise BadImage(f"{len(found.places):,} parts of JPEG in a TIFF; {_MAX_SEGMENTS:,} are read")
    if len(found.places) != columns * rows * (found.bands if found.is_apart else 1):
        raise BadImage(_CORRUPT)
    tables = found.tables.removeprefix(_START).removesuffix(_END)
    for number, (offset, num_bytes) in enumerate(found.places):
        if offset + num_bytes > len(encoded):
            raise BadImage("truncated TIFF")
        content = encoded[offset : offset + num_bytes]
        if not content.startswith(_START):
            raise BadImage(f"{_CORRUPT}: no JPEG where one should begin")
        row = number // columns % rows
        least = down if found.is_tiled else min(down, height - row * down)
        _check_segment(_START + tables + content[2:], found, least)


def _check_segment(content: bytes, found: Segments, least: int) -> None:
    """Check one segment, which must have `least` rows."""
    across, down = found.segment_size
    try:
        width, height, _ = jpeg.header(content)
        is_smaller = width < across or height < least  # as bands with half the color's resolution are
        if width > across or height > down or (is_smaller and not found.is_apart):
            raise BadImage(f"{_CORRUPT}: a part of another size")
        jpeg.prepare(content, (1,) if found.is_apart else (found.bands,))
    except BadImage as error:
        raise BadImage(error.reason.replace("corrupt JPEG", _CORRUPT).replace("truncated JPEG", _CORRUPT)) from error

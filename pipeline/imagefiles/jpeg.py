"""JPEG: every scan is walked to its end, because the decoder hands out gray pixels for what is missing or damaged.

libjpeg only warns of damage among the coded bytes, and Pillow keeps the warnings to itself. What it warns of is bad
here: coded bytes that end before the last block or go on after it, bits that are no code, a restart marker that is
wrong or missing, scans out of order. Text, profiles and further pictures are kept from the decoder. A missing end
marker alone is no damage. Of arithmetic-coded files, which are rare, only the markers are checked.
"""

import re
from collections.abc import Iterator, Sequence

from passband.pipeline.imagefiles.base import MAX_PIXELS, BadImage, Prepared
from passband.pipeline.imagefiles.jpeg_scan import (
    COMPONENTS,
    FRAMES,
    HIERARCHICAL,
    MARKER,
    RESTARTS,
    Corrupt,
    Frame,
    Truncated,
    frame_size,
    read_tables,
    walk,
)

_FILL = re.compile(rb"(?:\xff+\0|\xff*(?=\xff))*")  # what may stand between two segments: decoders skip it
_SOI, _EOI, _SOS, _DHT, _DRI, _TEM = 0xD8, 0xD9, 0xDA, 0xC4, 0xDD, 0x01
_FOREIGN = {0xDE: HIERARCHICAL, 0xF7: "JPEG-LS; not read"}  # by the marker that tells them
_APP0, _EXIF_OR_XMP, _ADOBE, _COMMENT = 0xE0, 0xE1, 0xEE, 0xFE
_NO_PIXELS = {*range(_APP0 + 1, 0xF0), _COMMENT} - {_ADOBE}
_EXIF, _XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
_MAX_SEGMENTS = 20_000
_MAX_FILL_BYTES = 2**16
_MAX_WORK = 50 * MAX_PIXELS  # pixels times scans: each scan is walked here, and decoded, for all blocks
_DAMAGED = "corrupt JPEG: a header segment is damaged"


def prepare(encoded: bytes, components: Sequence[int] = COMPONENTS) -> Prepared:
    """Check the whole file, which must have one of these numbers of components, and leave out what makes no pixels.

    Raises
    ------
    BadImage
        More than 64 Mpixel, cut short, or damaged; the reason says how the coded bytes go wrong.
    """
    frame, kept = (
        Frame(allowed=components),
        [b"\xff\xd8"],
    )  # a Frame needs the kernels: if they are missing, that is no BadImage
    info: dict[str, bytes] = {}
    scans = 0
    try:
        for marker, content, whole in _segments(encoded, frame):
            if marker in _FOREIGN:
                raise BadImage(_FOREIGN[marker])
            if marker == _SOS:
                scans += 1
                if scans * frame.width * frame.height > _MAX_WORK:
                    raise BadImage(f"{scans:,} scans of a JPEG of {frame.width:,} x {frame.height:,} pixels")
            if marker in FRAMES:
                frame.begin(marker, content)
            elif marker == _DHT:
                read_tables(frame.tables, content)
                frame.has_tables = True
            elif marker == _DRI:
                frame.restart = int.from_bytes(content[:2], "big")
            if marker not in _NO_PIXELS:
                kept.append(whole)
            info = _orienting(marker, content) | info
    except Truncated as error:
        if not frame.is_whole():
            raise BadImage("truncated JPEG") from error
    except Corrupt as error:
        raise BadImage(f"corrupt JPEG: {error}") from error
    except BadImage:
        raise
    except (IndexError, KeyError, ValueError) as error:
        raise BadImage(_DAMAGED) from error
    if frame.lacks_scans():
        raise BadImage("corrupt JPEG: a scan is missing")
    return Prepared(b"".join([*kept, b"\xff\xd9"]), info)


def header(encoded: bytes) -> tuple[int, int, dict[str, bytes]]:
    """Return width, height and the metadata that bear on the orientation, reading no further than the first scan.

    Raise BadImage if a frame header is missing.
    """
    size = None
    info: dict[str, bytes] = {}
    try:
        for marker, content, _ in _segments(encoded, None):
            if marker in FRAMES:
                size = frame_size(content)
            info = _orienting(marker, content) | info
    except (Truncated, Corrupt, ValueError) as error:
        raise BadImage(_DAMAGED) from error
    if size is None:
        raise BadImage(_DAMAGED)
    return *size, info


def _segments(encoded: bytes, frame: Frame | None) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield marker, content and all bytes of each segment, a scan with its coded bytes, which are walked.

    Ends after the end marker; without a `frame`, at the first scan.
    """
    position, count = 2, 0
    while (match := MARKER.search(encoded, position)) is not None:
        fill = match.start() - position
        if fill > _MAX_FILL_BYTES or not _FILL.fullmatch(encoded, position, match.start()):
            raise Corrupt("bytes between two segments")
        marker, position, count = match[1][0], match.end(), count + 1
        if count > _MAX_SEGMENTS:
            raise BadImage(f"more than {_MAX_SEGMENTS:,} segments in a JPEG")
        if marker == _EOI or (marker == _SOS and frame is None):
            return
        if marker in RESTARTS or marker == _TEM:
            continue
        begin, end = position - 2, position + int.from_bytes(encoded[position : position + 2], "big")
        if max(end, position + 2) > len(encoded):
            raise Truncated
        if marker < 0xC0 or marker == _SOI or end < position + 2:
            raise ValueError
        content, position = encoded[position + 2 : end], end
        if marker == _SOS and frame is not None:
            end, position = walk(encoded, frame, content, end)
        yield marker, content, encoded[begin:end]
    if encoded[position:].strip(b"\xff"):
        raise Corrupt("data left over after the pixels")
    raise Truncated


def _orienting(marker: int, content: bytes) -> dict[str, bytes]:
    if marker == _EXIF_OR_XMP and content.startswith(_EXIF):
        return {"exif": content}
    if marker == _EXIF_OR_XMP and content.startswith(_XMP):
        return {"xmp": content.removeprefix(_XMP)}
    return {}

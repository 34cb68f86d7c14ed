"""PNG: the chunks that make pixels are checked, those that do not are kept from the decoder.

Pillow refuses whole files for text or profiles that are too long or damaged, and does not check the pixels' checksums.
It also compares a transparent color after it has changed the values: at 8 bits, or scaled to them.
"""

import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from passband.pipeline.imagefiles.base import BadImage, Prepared, check_size

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_END = b"\0\0\0\0IEND\xaeB`\x82"
_GRAY, _COLOR, _PALETTE = 0, 2, 3  # color types that can have a transparent value
_HARMLESS = {
    *(b"acTL", b"bKGD", b"cHRM", b"cICP", b"cLLI", b"dSIG", b"eXIf", b"fcTL", b"gAMA", b"hIST", b"iCCP", b"iTXt"),
    *(b"mDCV", b"oFFs", b"pCAL", b"pHYs", b"sBIT", b"sCAL", b"sPLT", b"sRGB", b"sTER", b"tEXt", b"tIME", b"zTXt"),
}  # may be damaged: they make no pixels. Under another name, a damaged chunk may have been one that does.
_MAX_TEXT = 1_000_000  # bytes, unpacked
_MAX_CHUNKS = 200_000
_MAX_NAME = 80  # bytes of a text's keyword, and the zero after it
_ORIENTING = {
    (b"eXIf", b""): "exif",
    (b"iTXt", b"XML:com.adobe.xmp"): "xmp",
    (b"tEXt", b"Raw profile type exif"): "Raw profile type exif",
    (b"zTXt", b"Raw profile type exif"): "Raw profile type exif",
}  # by kind and keyword: what may say how to turn an image, as Pillow calls it


def prepare(encoded: bytes) -> Prepared:
    """Check the chunks that make pixels and leave out the others.

    Raises
    ------
    BadImage
        A chunk that makes pixels is damaged or cut; of those that do not, and of the end marker, nothing is asked.
    """
    first, transparency, palette = _header(encoded), b"", b""
    packed: list[memoryview] = []
    for kind, content, checksum in _chunks(encoded):
        if (kind == b"IDAT" or not (packed or kind in _HARMLESS)) and not _sound(kind, content, checksum):
            raise BadImage("corrupt PNG")
        if kind == b"IDAT":
            packed.append(content)
        elif kind == b"PLTE":
            palette = palette or _chunk(kind, content)
        elif kind == b"tRNS" and not packed:
            transparency = transparency or bytes(content)
    key = _transparent(first, transparency)
    if not packed:
        raise BadImage("truncated PNG")
    kept = [_SIGNATURE, _chunk(b"IHDR", first)]
    if first[9] == _PALETTE:
        if not palette:
            raise BadImage("corrupt PNG")
        kept.extend([palette, _chunk(b"tRNS", transparency) if transparency else b""])
    return Prepared(b"".join([*kept, _chunk(b"IDAT", b"".join(packed)), _END]), _orienting(encoded), key)


def header(encoded: bytes) -> tuple[int, int, dict[str, bytes | str]]:
    """Return width, height and the metadata that bear on the orientation; nothing is asked of the pixels."""
    first = _header(encoded)
    return int.from_bytes(first[:4], "big"), int.from_bytes(first[4:8], "big"), _orienting(encoded)


def _header(encoded: bytes) -> bytes:
    kind, content, _ = next(_chunks(encoded), (b"", memoryview(b""), b""))
    if kind == b"CgBI":
        raise BadImage("Apple's CgBI variant of PNG; not read")
    if kind != b"IHDR" or len(content) != 13:
        raise BadImage("corrupt PNG" if kind else "truncated PNG")
    check_size(int.from_bytes(content[:4], "big"), int.from_bytes(content[4:8], "big"))
    return bytes(content)


def transparent_pixels(image: Image.Image, prepared: Prepared) -> NDArray[np.bool_]:
    """Return where the transparent value stands, (H, W), compared at the file's own bit depth.

    `image` is what Pillow decoded from `prepared`.
    """
    depth, color = prepared.content[24], prepared.content[25]
    key = np.array(prepared.transparent)
    if color == _GRAY:
        values = np.asarray(image.convert("L") if depth < 8 else image)
        return values == (key[0] * (255 // (2**depth - 1)) if depth < 8 else key[0])
    values = np.asarray(image)
    if depth == 16:
        values = values.astype(np.uint16) << 8 | np.asarray(_low_bytes(image.size, prepared.content))
    return (values == key).all(axis=-1)


def _low_bytes(size: tuple[int, int], content: bytes) -> Image.Image:
    """Decode 16-bit color once more, to the low bytes: as if they were the high bytes of the other byte order."""
    pixels = b"".join(chunk for kind, chunk, _ in _chunks(content) if kind == b"IDAT")
    return Image.frombytes("RGB", size, pixels, "zip", "RGB;16L", content[28])


def _chunks(encoded: bytes) -> Iterator[tuple[bytes, memoryview, bytes]]:
    """Yield kind, content and checksum, up to the end marker or to a chunk that is cut.

    A cut among the pixels is a BadImage here; where one begins with too few bytes to tell, the decoder misses rows.
    """
    view, at, count = memoryview(encoded), len(_SIGNATURE), 0
    while at + 8 <= len(view):
        count += 1
        if count > _MAX_CHUNKS:
            raise BadImage(f"more than {_MAX_CHUNKS:,} chunks in a PNG")
        kind, end = bytes(view[at + 4 : at + 8]), at + 8 + int.from_bytes(view[at : at + 4], "big")
        if kind == b"IEND":
            return
        if end + 4 > len(view):
            if kind == b"IDAT":
                raise BadImage("truncated PNG")
            return
        yield kind, view[at + 8 : end], bytes(view[end : end + 4])
        at = end + 4


def _checksum(kind: bytes, content: bytes | memoryview) -> bytes:
    return zlib.crc32(content, zlib.crc32(kind)).to_bytes(4, "big")


def _sound(kind: bytes, content: memoryview, checksum: bytes) -> bool:
    return _checksum(kind, content) == checksum


def _chunk(kind: bytes, content: bytes | memoryview) -> bytes:
    return b"".join([len(content).to_bytes(4, "big"), kind, content, _checksum(kind, content)])


def _orienting(encoded: bytes) -> dict[str, bytes | str]:
    """Return what may hold an orientation, from sound chunks, the first of each kind; the names are Pillow's."""
    info: dict[str, bytes | str] = {}
    for kind, content, checksum in _chunks(encoded):
        if kind not in (b"eXIf", b"tEXt", b"zTXt", b"iTXt") or not _sound(kind, content, checksum):
            continue
        name = bytes(content[:_MAX_NAME]).partition(b"\0")[0]
        key = _ORIENTING.get((kind, b"" if kind == b"eXIf" else name))
        if key is None or key in info:
            continue  # the first one holds: a packed one is not unpacked for nothing
        text = bytes(content[len(name) + 1 :])
        if key == "exif":
            info[key] = b"Exif\0\0" + content
        elif key == "xmp":
            info[key] = _text(text[2:].split(b"\0", 2)[-1], packed=text[:1] == b"\1")
        else:
            info[key] = _text(text[1:] if kind == b"zTXt" else text, packed=kind == b"zTXt").decode("latin-1")
    return info


def _text(content: bytes, *, packed: bool) -> bytes:
    """Return a text; b"" for one that is damaged or longer than any that says how to turn an image."""
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(content, _MAX_TEXT + 1) if packed else content
    except zlib.error:
        return b""
    return text if len(text) <= _MAX_TEXT else b""


def _transparent(header: bytes, transparency: bytes) -> tuple[int, ...] | None:
    """Return the transparent gray or color; of samples below 16 bits only the low bits count."""
    depth, color = header[8], header[9]
    allowed = {_GRAY: (2,), _COLOR: (6,), _PALETTE: range(1, 257)}.get(color)
    if not transparency or allowed is None:
        return None
    if len(transparency) not in allowed:
        raise BadImage("corrupt PNG")
    if color == _PALETTE:
        return None
    values = (int.from_bytes(transparency[at : at + 2], "big") for at in range(0, len(transparency), 2))
    return tuple(value & (2**depth - 1) for value in values)

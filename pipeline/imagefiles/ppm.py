"""PPM and its kin: headers are bounded, and values that are text or of another range become bytes here.

Pillow reads a header byte by byte, comments of any length included, and values of another range than 0..255 one at a
time: minutes for what is read here at once. The values are those that it gives.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from passband.pipeline.imagefiles.base import BadImage, check_size

_PLAIN, _BITS = (b"P1", b"P2", b"P3"), (b"P1", b"P4")
_BANDS = {b"P2": 1, b"P3": 3, b"P5": 1, b"P6": 3, b"PyP": 1, b"P0CMYK": 4, b"PyRGBA": 4, b"PyCMYK": 4}
_RAW = {b"P2": b"P5", b"P3": b"P6"}
_SPACES = b"\x20\x09\x0a\x0b\x0c\x0d"
_MAX_HEADER_BYTES = 2**16
_MAX_DIGITS = 10
_COMMENT = re.compile(rb"#[^\r\n]*(?:[\r\n]|$)")
_TOO_LONG = re.compile(rb"\d{%d}" % (_MAX_DIGITS + 1))
_WORD_END = re.compile(rb"\s")
_TEXT_AT_ONCE = 2**20
_CORRUPT = "corrupt PPM"


@dataclass(frozen=True)
class _Header:
    magic: bytes
    width: int
    height: int
    most: int
    end: int


def prepare(encoded: bytes) -> bytes:
    """Return a file of the same values that is decoded as bytes, or `encoded` itself where it is one.

    Raises
    ------
    BadImage
        The header makes no sense or is longer than any; values are missing, or are none.
    """
    header = _header(encoded)
    if header is None:
        return encoded
    check_size(header.width, header.height)
    if header.magic == b"P1":
        return _file(b"P5", header, 255, _bits(encoded, header))
    bands = _BANDS.get(header.magic)
    is_gray = bands == 1 and header.magic != b"PyP"
    if bands is None or (header.magic not in _PLAIN and header.most in ((255, 65535) if is_gray else (255,))):
        return encoded
    count = header.width * header.height * bands
    top = 65535 if is_gray and header.most > 255 else 255
    table = _table(header.most, top)
    values = _numbers(encoded, header, count, table) if header.magic in _PLAIN else _raw(encoded, header, count, table)
    return _file(_RAW.get(header.magic, header.magic), header, top, values)


@lru_cache(8)
def _table(most: int, top: int) -> NDArray[np.generic]:
    """Return what each value becomes that is at most `most`, and any above."""
    return np.array([min(top, round(value / most * top)) for value in range(65536)], ">u2" if top > 255 else "u1")


def check_header(encoded: bytes) -> None:
    """Raise BadImage for a header that is longer than any."""
    _header(encoded)


def _file(magic: bytes, header: _Header, top: int, values: bytes) -> bytes:
    return b"%s %d %d %d\n" % (magic, header.width, header.height, top) + values


def _header(encoded: bytes) -> _Header | None:
    """Return what stands before the values; None for floating point, whose header has no comments to count."""
    magic = re.match(rb"\S{1,6}", encoded)
    assert magic is not None
    at = magic.end()
    numbers: list[bytes] = []
    needed = 2 if magic[0] in _BITS else 3
    is_float = magic[0] in (b"Pf", b"PF")
    while len(numbers) < needed:
        token, at = _token(encoded, at + (1 if not numbers else 0))
        numbers.append(token)
    try:
        width, height = int(numbers[0]), int(numbers[1])
        most = 1 if needed == 2 or is_float else int(numbers[2])
    except ValueError as error:
        raise BadImage(_CORRUPT) from error
    if not 0 < most < 65536 or min(width, height) < 0:
        raise BadImage(_CORRUPT)
    return None if is_float else _Header(magic[0], width, height, most, at)


def _token(encoded: bytes, at: int) -> tuple[bytes, int]:
    """Return the next word of a header, without comments before it and inside, and where what follows begins."""
    token = b""
    while at < len(encoded) and len(token) <= _MAX_DIGITS:
        if at >= _MAX_HEADER_BYTES:
            raise BadImage(f"a PPM header of more than {_MAX_HEADER_BYTES:,} bytes")
        byte = encoded[at : at + 1]
        if byte == b"#":
            match = _COMMENT.match(encoded, at, _MAX_HEADER_BYTES + 1)
            assert match is not None
            at = match.end()
            continue
        at += 1
        if byte not in _SPACES:
            token += byte
        elif token:
            return token, at
    if not token or len(token) > _MAX_DIGITS:
        raise BadImage(_CORRUPT)
    return token, at


def _text(encoded: bytes, header: _Header) -> bytes:
    return _COMMENT.sub(b"", encoded[header.end :])


def _bits(encoded: bytes, header: _Header) -> bytes:
    """Return the values of a plain bitmap, in which 1 is black."""
    digits = _text(encoded, header).translate(None, _SPACES)
    count = header.width * header.height
    if len(digits) < count or digits.translate(None, b"01"):
        raise BadImage(_CORRUPT)
    return digits[:count].translate(bytes.maketrans(b"01", b"\xff\x00"))


def _numbers(encoded: bytes, header: _Header, count: int, table: NDArray[np.generic]) -> bytes:
    """Return values that are written as text, some million characters at a time."""
    text, found, at = _text(encoded, header), [], 0
    if len(text) < 2 * count - 1 or _TOO_LONG.search(text):
        raise BadImage(_CORRUPT)
    while count > 0 and at < len(text):
        end = _WORD_END.search(text, at + _TEXT_AT_ONCE)
        part, at = text[at : end.start() if end else None], end.start() if end else len(text)
        if part.translate(None, b"0123456789" + _SPACES):
            raise BadImage(_CORRUPT)
        values = np.array(part.split()[:count]).astype(np.int64)
        if values.max(initial=0) > header.most:
            raise BadImage(_CORRUPT)
        found.append(table[values].tobytes())
        count -= len(values)
    if count:
        raise BadImage(_CORRUPT)
    return b"".join(found)


def _raw(encoded: bytes, header: _Header, count: int, table: NDArray[np.generic]) -> bytes:
    """Return values of one byte, or of two, the high one first."""
    form = np.dtype(">u2" if header.most > 255 else "u1")
    if len(encoded) - header.end < count * form.itemsize:
        raise BadImage(_CORRUPT)
    return table[np.frombuffer(encoded, form, count, header.end)].tobytes()

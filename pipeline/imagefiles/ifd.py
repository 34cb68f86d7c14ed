"""Directories of tags, as TIFF and EXIF have them: whether an entry claims what cannot be, before any is read.

Entries name the bytes of their values by place and length, and may all name the same: a few kilobytes stand for
gigabytes. Numbers become objects, thirty times as large.
"""

import struct
from collections.abc import Iterator

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_TEXTS = (1, 2, 6, 7)  # types whose values stay bytes
_MAX_VALUES = 1_000_000  # numbers of one entry: a strip for each row of the tallest image
_SPARE_BYTES = 2**20
_INNER = (0x8769, 0x8825, 0xA005)  # tags whose value is the place of a directory of EXIF
_MAX_DIRECTORIES = 8


def is_bomb(content: bytes) -> bool:
    """Tell whether the first directory, and those of EXIF that it names, claim more than twice what is there.

    Nothing is said about what is damaged otherwise.
    """
    try:
        return _is_bomb(content)
    except (struct.error, IndexError):
        return False


def _is_bomb(content: bytes) -> bool:
    order, is_big = "<" if content[:2] == b"II" else ">", content[2] == 43
    waiting = [struct.unpack_from(f"{order}{'Q' if is_big else 'I'}", content, 8 if is_big else 4)[0]]
    total, seen = 0, set(waiting)
    while waiting:
        for tag, kind, count, place in _entries(content, waiting.pop(), order, is_big):
            num_bytes = count * _SIZES.get(kind, 0)
            if num_bytes <= len(content):  # else nothing is read
                total += num_bytes
                if total > 2 * len(content) + _SPARE_BYTES or (kind not in _TEXTS and count > _MAX_VALUES):
                    return True
            if tag in _INNER and place not in seen and len(seen) < _MAX_DIRECTORIES:
                seen.add(place)
                waiting.append(place)
    return False


def _entries(content: bytes, start: int, order: str, is_big: bool) -> Iterator[tuple[int, int, int, int]]:
    """Yield tag, type, count and place of the values of each entry that is there."""
    form, count_form = (f"{order}HHQQ", f"{order}Q") if is_big else (f"{order}HHII", f"{order}H")
    if start + struct.calcsize(count_form) > len(content):
        return
    (count,) = struct.unpack_from(count_form, content, start)
    begin, size = start + struct.calcsize(count_form), struct.calcsize(form)
    for number in range(min(count, (len(content) - begin) // size)):
        yield struct.unpack_from(form, content, begin + number * size)

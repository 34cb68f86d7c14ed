"""What the pages of a Parquet column claim to unpack to, read before Arrow makes room for it.

A page is a header in Thrift's compact protocol and its packed content. Arrow believes the header: a page of a megabyte
may unpack to two gigabytes, whatever the footer says of the column.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from passband.pipeline.sources.base import SourceError
from passband.pipeline.sources.limits import MAX_KEY_BYTES, plain, shown
from passband.pipeline.sources.regular import opened

_MAX_PAGE_BYTES = 64 * 2**20
_MAX_RATIO = 20
"""A page may unpack to 64 MB anyway, and to more only where it is large itself: images do not pack well."""
_MAX_REPEATED_BYTES = 2**30
_MAX_REPEATS = 100
"""The values of a dictionary may come to a GB anyway, and to more only where each comes less often than this."""
_MAX_PAGES = 100_000  # of one column of one row group
_HEADER_BYTES = 2**12  # statistics may stand in a header; more is read where it is longer
_MAX_HEADER_BYTES = 2**20
_SHORT_PAGE_BYTES = 2**16  # of labels, beside their own: levels, lengths
_MAX_BATCH = 64
_DICTIONARY = 2
_HEADERS = (5, 7, 8)  # fields that tell of a page by its kind: data, dictionary, data in version 2
_I16_TO_I64 = (4, 5, 6)


class _DamagedError(ValueError):
    """Bytes that are no header of a page."""


@dataclass(frozen=True, slots=True)
class _Page:
    """A page by its header: kind, values, and the bytes of its content unpacked and packed, and of the header."""

    kind: int
    values: int
    unpacked: int
    packed: int
    header: int


@dataclass(frozen=True, slots=True)
class Layout:
    """What the pages of a column of one row group unpack to.

    Attributes
    ----------
    num_bytes : all of them, each value of a dictionary once
    batch : rows that may be read at a time, so that they take about 64 MB at most
    value_bytes : of one value on average, those of the dictionary where there is one
    """

    num_bytes: int
    batch: int
    value_bytes: int


def image_layout(path: Path, chunk: Any) -> Layout:
    """Check the pages of a column of images.

    Parameters
    ----------
    chunk : pyarrow.parquet.ColumnChunkMetaData

    Raises
    ------
    SourceError
        A page is a bomb, or a dictionary is, or there is no page where one should begin.
    """
    total, largest, value = 0, 1, 0
    for page in _checked(path, chunk):
        total += page.header + page.unpacked
        in_dictionary = page.kind == _DICTIONARY  # where any value may be as large as all of them
        largest = max(largest, page.unpacked if in_dictionary else page.unpacked // max(page.values, 1))
        if in_dictionary:
            value = page.unpacked // max(page.values, 1)
    if value * chunk.num_values > max(_MAX_REPEATED_BYTES, _MAX_REPEATS * total):
        raise SourceError(
            f"source parquet: {plain(path.name)} stands for {chunk.num_values:,} images of {value:,} bytes in "
            f"{total:,}: no images are repeated so often"
        )
    rows = max(chunk.num_values, 1)
    return Layout(total, max(1, min(_MAX_BATCH, _MAX_PAGE_BYTES // largest)), value or total // rows)


def check_short(path: Path, chunk: Any, column: str) -> int:
    """Check the pages of a column of labels or keys; raise SourceError also for one whose values are too long.

    Returns how many bytes its dictionary unpacks to, 0 where it has none.
    """
    largest = 0
    for page in _checked(path, chunk):
        if page.unpacked > _SHORT_PAGE_BYTES + page.values * MAX_KEY_BYTES:
            raise SourceError(
                f"source parquet: {plain(path.name)} has {page.values:,} values in {page.unpacked:,} bytes of the "
                f"column {shown(column)}; one has at most {MAX_KEY_BYTES:,}"
            )
        if page.kind == _DICTIONARY:
            largest = max(largest, page.unpacked)
    return largest


def _checked(path: Path, chunk: Any) -> Iterator[_Page]:
    """Yield the pages of a column, none of which is a bomb."""
    start = f"source parquet: {plain(path.name)}"
    with opened("parquet", path, path.name) as descriptor:
        try:
            for page in _pages(descriptor, chunk):
                if page.unpacked > max(_MAX_PAGE_BYTES, _MAX_RATIO * page.packed):
                    raise SourceError(f"{start} has a page of {page.packed:,} bytes that unpacks to {page.unpacked:,}")
                yield page
        except _DamagedError as error:
            raise SourceError(f"{start} is no readable Parquet file: {error}") from error


def _pages(descriptor: int, chunk: Any) -> Iterator[_Page]:
    """Yield the pages of a column by their headers; contents are passed over."""
    begin = chunk.data_page_offset
    if chunk.has_dictionary_page and 0 < chunk.dictionary_page_offset < begin:
        begin = chunk.dictionary_page_offset
    at, end, size = begin, begin + chunk.total_compressed_size, os.fstat(descriptor).st_size
    if not 0 < begin <= end <= size:
        raise _DamagedError("a column lies outside of it")
    for _ in range(_MAX_PAGES):
        if at >= end:
            return
        page = _page(descriptor, at, end)
        yield page
        at += page.header + page.packed
    raise _DamagedError(f"a column has more than {_MAX_PAGES:,} pages in one row group")


def _page(descriptor: int, at: int, end: int) -> _Page:
    length = _HEADER_BYTES
    while True:
        content = os.pread(descriptor, min(length, end - at), at)
        try:
            return _Compact(content).page()
        except IndexError as error:
            if len(content) < length or length >= _MAX_HEADER_BYTES:
                raise _DamagedError("a page's header is cut short") from error
            length *= 16


class _Compact:
    """Reads one header; IndexError where it goes on after the content."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    def page(self) -> _Page:
        numbers, values = {1: -1, 2: -1, 3: -1}, 0
        for field, kind in self._fields():
            if field in numbers and kind in _I16_TO_I64:
                numbers[field] = self._number()
            elif field in _HEADERS and kind == 12:
                values = self._values()
            else:
                self._skip(kind, 0)
        if min(*numbers.values(), values) < 0:
            raise _DamagedError("a page's header makes no sense")
        return _Page(numbers[1], values, numbers[2], numbers[3], self._at)

    def _values(self) -> int:
        """Return how many values a page has: the first field of each of `_HEADERS`."""
        values = 0
        for field, kind in self._fields():
            if field == 1 and kind in _I16_TO_I64:
                values = self._number()
            else:
                self._skip(kind, 1)
        return values

    def _fields(self) -> Iterator[tuple[int, int]]:
        field = 0
        while byte := self._byte():
            field = field + (byte >> 4) if byte >> 4 else self._number()
            yield field, byte & 15

    def _byte(self) -> int:
        self._at += 1
        return self._content[self._at - 1]

    def _varint(self) -> int:
        found = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            found |= (byte & 127) << shift
            if byte < 128:
                return found
        raise _DamagedError("a page's header makes no sense")

    def _number(self) -> int:
        found = self._varint()
        return found >> 1 ^ -(found & 1)

    def _skip(self, kind: int, depth: int) -> None:
        """Pass over a value: no header nests deeper than its statistics."""
        if kind in (1, 2):
            return  # a truth value is its kind
        if kind == 3:
            self._byte()
        elif kind in _I16_TO_I64:
            self._varint()
        elif kind == 7:
            self._at += 8
        elif kind == 8:
            length = self._varint()  # which moves on itself
            self._at += length
        elif kind == 12 and depth < 4:
            for _, inner in self._fields():
                self._skip(inner, depth + 1)
        else:
            raise _DamagedError("a page's header makes no sense")
        if self._at > len(self._content):
            raise IndexError

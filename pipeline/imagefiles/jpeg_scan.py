"""A JPEG's frame, its tables and its scans: whether the coded bytes of a scan hold its blocks, all and no more."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from passband.pipeline.imagefiles.base import BadImage, check_size

MARKER = re.compile(rb"\xff+([\x01-\xfe])")
RESTARTS = range(0xD0, 0xD8)
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_LOSSLESS, _DIFFERENTIAL = (0xC3, 0xCB), (0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF)
_PROGRESSIVE = (0xC2, 0xCA)
_HUFFMAN = (0xC0, 0xC1, 0xC2)
COMPONENTS = (1, 3, 4)
HIERARCHICAL = "hierarchical JPEG; not read"
_PADDING = re.compile(rb"(?:\x7f|\xff+\0)?\xff*")  # the ones that fill the last byte: some write them though it is full


class Truncated(Exception):
    """The bytes end within a segment or a scan."""


class Corrupt(Exception):
    """What is wrong, in a few words."""


def read_tables(tables: NDArray[np.int32], content: bytes) -> None:
    """Read a segment of Huffman tables; raise ValueError if it holds none."""
    from passband.kernels.cpu.huffman import fill_table

    while content:
        kind, slot, total = content[0] >> 4, content[0] & 15, sum(content[1:17])
        if kind > 1 or slot > 3 or total > 256 or 17 + total > len(content):
            raise ValueError
        symbols = np.frombuffer(content[17 : 17 + total].ljust(256, b"\0"), np.uint8)
        if not fill_table(tables[4 * kind + slot], np.frombuffer(content[1:17], np.uint8), symbols, 1 - kind):
            raise ValueError
        content = content[17 + total :]


@cache
def _standard_tables() -> NDArray[np.int32]:
    """Return the tables that hold where a file, such as a frame of a video, defines none: those of any encoder."""
    from passband.kernels.cpu.huffman import TABLE

    sample, tables = BytesIO(), np.zeros((8, TABLE), np.int32)
    Image.new("RGB", (8, 8)).save(sample, "JPEG")
    encoded = sample.getvalue()
    for match in re.finditer(rb"\xff\xc4(..)", encoded, re.DOTALL):
        read_tables(tables, encoded[match.end() : match.end() - 2 + int.from_bytes(match[1], "big")])
    return tables


@dataclass(slots=True)
class Component:
    """One color's blocks: how many across and down in an MCU, and where they stand among all.

    `sent` holds, by coefficient, the lowest bit that a scan has sent; -1: none has.
    """

    across: int
    down: int
    begin: int = 0
    stride: int = 0
    sent: list[int] = field(default_factory=lambda: [-1] * 64)


@dataclass(slots=True)
class Frame:
    """What the segments so far say about the scans.

    Attributes
    ----------
    tables : (8, TABLE) int32
        As `kernels.cpu.huffman` has them; `has_tables` once the file has given one.
    nonzero : (B,) uint64
        By block, which coefficients of a progressive file are not zero.
    allowed
        Numbers of components that are read.
    """

    tables: NDArray[np.int32] = field(default_factory=lambda: _standard_tables().copy())
    has_tables: bool = False
    marker: int = 0
    width: int = 0
    height: int = 0
    restart: int = 0
    components: dict[int, Component] = field(default_factory=dict)
    nonzero: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    allowed: Sequence[int] = COMPONENTS

    def begin(self, marker: int, content: bytes) -> None:
        """Read a frame header; raise BadImage for sizes and kinds that are not read."""
        if marker in _LOSSLESS:
            raise BadImage("lossless JPEG; not read")
        if marker in _DIFFERENTIAL:
            raise BadImage(HIERARCHICAL)
        if self.components:
            raise Corrupt("two frames")
        self.marker = marker
        self.width, self.height = frame_size(content)
        check_size(self.width, self.height)
        if content[0] != 8:
            raise BadImage(f"{content[0]}-bit JPEG; 8 bits are read")
        if content[5] not in self.allowed:
            raise BadImage(f"{content[5]} components in a JPEG; {self._spelled()} are read")
        for name, factors, _ in zip(content[6::3], content[7::3], content[8::3], strict=True):
            component = Component(factors >> 4, factors & 15)
            if name in self.components or not (1 <= component.across <= 4 and 1 <= component.down <= 4):
                raise ValueError
            self.components[name] = component
        if len(self.components) != content[5]:
            raise ValueError
        self._place()

    def _spelled(self) -> str:
        *others, last = map(str, self.allowed)
        return f"{', '.join(others)} or {last}" if others else last

    def _place(self) -> None:
        columns, rows = self.mcus()
        total = 0
        for component in self.components.values():
            component.begin, component.stride = total, columns * component.across
            total += component.stride * rows * component.down
        if self.marker in _PROGRESSIVE:
            self.nonzero = np.zeros(total, np.uint64)

    def mcus(self, alone: Component | None = None) -> tuple[int, int]:
        """Return the MCUs across and down; in a scan of one component they are its blocks."""
        across = max(component.across for component in self.components.values())
        down = max(component.down for component in self.components.values())
        if alone is None:
            return -(-self.width // (8 * across)), -(-self.height // (8 * down))
        width, height = -(-self.width * alone.across // across), -(-self.height * alone.down // down)
        return -(-width // 8), -(-height // 8)

    def is_whole(self) -> bool:
        """Whether every bit of every coefficient has been sent: then only the end marker can be missing."""
        return bool(self.components) and not any(any(component.sent) for component in self.components.values())

    def lacks_scans(self) -> bool:
        """Whether nothing has been sent of some component."""
        return not self.components or any(component.sent[0] < 0 for component in self.components.values())


def frame_size(content: bytes) -> tuple[int, int]:
    """Return width and height from a frame header."""
    return int.from_bytes(content[3:5], "big"), int.from_bytes(content[1:3], "big")


def walk(encoded: bytes, frame: Frame, content: bytes, position: int) -> tuple[int, int]:
    """Walk a scan's coded bytes, which begin at `position`; `content` is the scan's header.

    Returns
    -------
    end, following : int
        Where the coded bytes end, and where the next segment may begin.
    """
    band = _band(frame, content)
    chosen = [(frame.components[name], slots) for name, slots in zip(content[1:-3:2], content[2:-3:2], strict=True)]
    if content[0] != len(chosen) or not chosen or (frame.marker in _PROGRESSIVE and 0 < band[0] and len(chosen) > 1):
        raise ValueError
    first, after, before, lowest = band
    allowed = {before} if before > 0 else {-1, 0}
    for component, _ in chosen:
        if (first > 0 > component.sent[0]) or not allowed.issuperset(component.sent[first:after]):
            raise Corrupt("scans out of order")
    end = _coded_end(encoded, frame, chosen, band, position)
    for component, _ in chosen:
        component.sent[first:after] = [lowest] * (after - first)
    marker = MARKER.search(encoded, end)
    if marker is None:
        return end, end
    if not _PADDING.fullmatch(encoded, end, marker.start()):
        raise Corrupt("data left over after the pixels")
    return end, marker.start()


def _band(frame: Frame, content: bytes) -> tuple[int, int, int, int]:
    """Return first coefficient, last + 1, lowest bit sent before, and lowest bit that the scan sends."""
    if frame.marker not in _PROGRESSIVE:
        return 0, 64, 0, 0  # what else a sequential file says there is ignored, by decoders too
    first, last, bits = content[-3:]
    if not (first <= last < 64 and (first > 0 or last == 0)):
        raise ValueError
    return first, last + 1, bits >> 4, bits & 15


def _coded_end(
    encoded: bytes, frame: Frame, chosen: list[tuple[Component, int]], band: tuple[int, int, int, int], position: int
) -> int:
    if frame.marker not in _HUFFMAN:
        if frame.has_tables:
            raise Corrupt("Huffman tables, but another coding")
        for marker in MARKER.finditer(encoded, position):
            if marker[1][0] not in RESTARTS:
                return marker.start()
        raise Truncated
    from passband.kernels.cpu import huffman

    alone = chosen[0][0] if len(chosen) == 1 else None
    parts = [
        [*((1, 1) if alone else (part.across, part.down)), slots >> 4 & 3, 4 + (slots & 3), part.begin, part.stride]
        for part, slots in chosen
    ]
    outcome, end = huffman.walk_scan(
        np.frombuffer(encoded, np.uint8),
        position,
        frame.tables.reshape(-1),
        np.array(parts, np.int64),
        *frame.mcus(alone),
        frame.restart,
        np.array([band[0], band[1] - 1, band[2] > 0, frame.marker in _PROGRESSIVE], np.int64),
        frame.nonzero,
    )
    if outcome == huffman.CUT:
        raise Truncated
    if outcome != huffman.COMPLETE:
        raise Corrupt(huffman.OUTCOMES[outcome])
    return int(end)

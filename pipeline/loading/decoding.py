"""Fill a batch's pixels from the members of its samples.

A member is a memoryview of what was read of a shard, and a stack of views is read right to where its pixels belong;
nothing is copied before it is decoded. What costs little for a batch and
much for an image (undoing PNG's filters, looking at headers) is done for many images at once. zlib and Pillow let
other threads run meanwhile.
"""

import functools
import os
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from passband.pipeline.encodings.codec import decode_npy, encode_npy
from passband.pipeline.encodings.png import CACHED_BYTES, NONE, UP, decode_png, encode_png
from passband.pipeline.loading.descriptors import read_into

Member = memoryview
_HEAD_BYTES = 33  # signature and IHDR
_TAIL_BYTES = 12  # IEND


class Places(NamedTuple):
    """Where N members lie.

    Attributes
    ----------
    numbers : of the open file of each
    starts, sizes : (N,) int64, bytes
    """

    numbers: Sequence[int]
    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]


class DamagedMember(ValueError):
    """A member cannot be decoded; `position` is that of its sample in the batch."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(reason)
        self.position = position


def fill_stacked(places: Places, numbers: Sequence[int], depth: int, out: Sequence[NDArray[Any]]) -> None:
    """Read some views of stacks of all views.

    Parameters
    ----------
    places : where N NumPy files of (depth, H, W, 3) uint8 lie
    numbers : which of the views to read
    out : an (N, H, W, 3) uint8 array for each of `numbers`, filled
    """
    shape = (depth, *out[0].shape[1:])
    header = _npy_head(shape)
    view_bytes = int(np.prod(shape[1:]))
    heads = bytearray(len(places.starts) * len(header))
    head = (memoryview(heads), len(header))
    found = 0 if 0 in numbers else _read_at(places, 0, [head])
    for first, run in side_by_side(dict(zip(numbers, out, strict=True))):
        targets = [(flat_bytes(pixels), view_bytes) for pixels in run]
        found += (
            _read_at(places, len(header) + first * view_bytes, targets)
            if first
            else _read_at(places, 0, [head, *targets])
        )
    usual = places.sizes == len(header) + depth * view_bytes
    if not usual.all() or heads != header * len(usual) or found < len(usual) * (len(header) + len(out) * view_bytes):
        _copy_stacks(places, numbers, shape, out)


def _read_at(places: Places, offset: int, targets: Sequence[tuple[memoryview, int]]) -> int:
    return read_into(places.numbers, (places.starts + offset).tolist(), targets)


def side_by_side(arrays: Mapping[int, NDArray[Any]]) -> Iterator[tuple[int, list[NDArray[Any]]]]:
    """Yield the arrays of numbers that follow each other together, with the first of the numbers."""
    ordered = sorted(arrays)
    for _, run in groupby(enumerate(ordered), lambda item: item[1] - item[0]):
        numbers = [number for _, number in run]
        yield numbers[0], [arrays[number] for number in numbers]


def flat_bytes(array: NDArray[Any]) -> memoryview:
    """Return the memory of a dense array."""
    return array.reshape(-1).view(np.uint8).data


def fill_png(members: Sequence[Member], out: NDArray[np.uint8]) -> None:
    """Decode PNG files into (N, H, W, 3) uint8; those that this repository wrote, together."""
    _, height, width, _ = out.shape
    block = max(1, CACHED_BYTES // (height * (1 + width * 3)))
    for start in range(0, len(members), block):
        _fill_png_block(members[start : start + block], out[start : start + block], start)


def fill_each(members: Sequence[Member], decode: Callable[[bytes], NDArray[Any]], out: NDArray[Any]) -> None:
    """Decode members one by one into (N, H, W, 3)."""
    for position, member in enumerate(members):
        _decode_one(position, member, decode, out[position])


def _decode_one(position: int, member: Member, decode: Callable[[bytes], NDArray[Any]], out: NDArray[Any]) -> None:
    try:
        pixels = decode(bytes(member))
    except ValueError as error:
        raise DamagedMember(position, str(error)) from error
    if pixels.shape != out.shape or pixels.dtype != out.dtype:
        raise DamagedMember(position, f"is {pixels.shape} {pixels.dtype}, expected {out.shape} {out.dtype}")
    out[:] = pixels


@functools.lru_cache(8)
def _npy_head(shape: tuple[int, ...]) -> bytes:
    """Return the header of a uint8 NumPy file of this shape."""
    pixels = np.zeros(shape, np.uint8)
    return encode_npy(pixels)[: -pixels.nbytes]


def _copy_stacks(places: Places, numbers: Sequence[int], shape: tuple[int, ...], out: Sequence[NDArray[Any]]) -> None:
    """Copy from stacks of which some have another spelling of the header than ours, or are damaged."""
    for position, (number, start, size) in enumerate(zip(places.numbers, places.starts, places.sizes, strict=True)):
        try:
            stack = decode_npy(os.pread(number, size, start))
        except ValueError as error:
            raise DamagedMember(position, str(error)) from error
        if stack.shape != shape or stack.dtype != np.uint8:
            raise DamagedMember(position, f"is {stack.shape} {stack.dtype}, expected {shape} uint8")
        for depth, target in zip(numbers, out, strict=True):
            target[position] = stack[depth]


@functools.lru_cache(8)
def _png_frame(height: int, width: int) -> tuple[bytes, bytes]:
    """Return what stands before and after the image data of every PNG of ours of this size."""
    encoded = encode_png(np.zeros((1, height, width, 3), np.uint8))[0]
    return encoded[:_HEAD_BYTES], encoded[-_TAIL_BYTES:]


def _fill_png_block(members: Sequence[Member], out: NDArray[np.uint8], first: int) -> None:
    number, height, width, _ = out.shape
    head, tail = _png_frame(height, width)
    lines = np.empty((number, height, 1 + width * 3), np.uint8)
    flat = lines.reshape(number, -1)
    usual = np.ones(number, bool)
    for position, member in enumerate(members):
        content = _scanlines(member, head, tail, flat.shape[1])
        if content is None:
            usual[position] = False
        else:
            flat[position] = np.frombuffer(content, np.uint8)
    filters = lines[:, :, 0]
    up = (filters == UP).all(axis=1)
    usual &= up | (filters == NONE).all(axis=1)
    _undo_up(lines[:, :, 1:], up, out.reshape(number, height, width * 3))
    for position in np.flatnonzero(~usual).tolist():  # another writer's, or damaged: the codec says what is wrong
        _decode_one(first + position, members[position], decode_png, out[position])


def _scanlines(member: Member, head: bytes, tail: bytes, size: int) -> bytes | None:
    """Return the filtered rows of a PNG file in the layout of `encode_png`, or None if it has another."""
    body_start, body_end = len(head) + 8, len(member) - 4 - len(tail)
    if body_end < body_start or member[: len(head)] != head or member[body_end + 4 :] != tail:
        return None
    if member[len(head) : body_start] != struct.pack(">I4s", body_end - body_start, b"IDAT"):
        return None
    if zlib.crc32(member[body_start - 4 : body_end]) != int.from_bytes(member[body_end : body_end + 4], "big"):
        return None
    inflater = zlib.decompressobj()
    try:
        content = inflater.decompress(member[body_start:body_end], size + 1)  # never more, whatever the stream claims
    except zlib.error:
        return None
    return content if len(content) == size and inflater.eof and not inflater.unused_data else None


def _undo_up(lines: NDArray[np.uint8], up: NDArray[np.bool_], out: NDArray[np.uint8]) -> None:
    """Copy (N, H, W * 3) filtered rows, adding up those of images whose filter is `up`, modulo 256."""
    out[:] = lines
    above = 1 if up.all() else up[:, None].astype(np.uint8)
    for row in range(1, out.shape[1]):
        out[:, row] += out[:, row - 1] * above

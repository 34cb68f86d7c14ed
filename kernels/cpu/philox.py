"""Philox4x32-10 and normals as `kernels.philox` defines them: words to the bit, normals in float32 to 1e-6."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from passband.kernels import philox
from passband.kernels.cpu.arrays import borrowed, flat
from passband.kernels.cpu.compile import kernel
from passband.kernels.cpu.elementary import radius_of, turn
from passband.kernels.cpu.threads import for_ranges
from passband.kernels.cpu.vectors import counting, spread_words, store

_M0, _M1 = map(np.uint64, philox.MULTIPLIERS)
_W0, _W1 = map(np.uint64, philox.WEYL)
_LOW, _SHIFT = np.uint64(0xFFFFFFFF), np.uint64(32)
_ROUNDS = philox.ROUNDS


@kernel
def padded_columns(count):
    """Return `count` rounded up to what `fill_words` writes."""
    return (count + 7) // 8 * 8


@kernel
def _round(c0, c1, c2, c3, k0, k1):
    """Mix four blocks once. Upper halves hold rubbish between the rounds; the multiplications see the lower ones."""
    low, shift = spread_words(_LOW), spread_words(_SHIFT)
    first, second = (c0 & low) * spread_words(_M0), (c2 & low) * spread_words(_M1)
    return (second >> shift) ^ c1 ^ k0, second, (first >> shift) ^ c3 ^ k1, first


@kernel
def fill_words(lanes, count, stream, draw):
    """Write blocks draw .. draw + count - 1 of a stream to the columns of (4, >= `padded_columns`) uint32.

    `stream` is (index, view, stage, key word 0, key word 1); it and `draw` are uint64, so that LLVM finds the
    instruction that multiplies 32 by 32 bits.
    """
    index, view, stage, k0, k1 = stream
    row, stride = flat(lanes), lanes.shape[1]
    for b in range(0, count, 8):
        # Two registers side by side: a round of one waits for its multiplication while the other works.
        a0, a1, a2 = spread_words(index), spread_words(view), spread_words(stage)
        b0, b1, b2 = a0, a1, a2
        a3, b3 = counting(draw + np.uint64(b)), counting(draw + np.uint64(b + 4))
        key0, key1 = spread_words(k0), spread_words(k1)
        for _ in range(_ROUNDS // 2):
            a0, a1, a2, a3 = _round(a0, a1, a2, a3, key0, key1)
            b0, b1, b2, b3 = _round(b0, b1, b2, b3, key0, key1)
            key0, key1 = key0 + spread_words(_W0), key1 + spread_words(_W1)
            a0, a1, a2, a3 = _round(a0, a1, a2, a3, key0, key1)
            b0, b1, b2, b3 = _round(b0, b1, b2, b3, key0, key1)
            key0, key1 = key0 + spread_words(_W0), key1 + spread_words(_W1)
        store(row, b, a0)
        store(row, b + 4, b0)
        store(row, stride + b, a1)
        store(row, stride + b + 4, b1)
        store(row, 2 * stride + b, a2)
        store(row, 2 * stride + b + 4, b2)
        store(row, 3 * stride + b, a3)
        store(row, 3 * stride + b + 4, b3)


@kernel
def fill_normals(normal_lanes, word_lanes, count):
    """Turn words, (4, >= count) uint32, into normals, (4, >= count) float32."""
    for pair in range(2):
        for b in range(count):
            radius = radius_of(word_lanes[2 * pair, b])
            cosine, sine = turn(word_lanes[2 * pair + 1, b])
            normal_lanes[2 * pair, b] = radius * cosine
            normal_lanes[2 * pair + 1, b] = radius * sine


@kernel
def _words_range(out, indices, address, draw, start, stop):
    out, indices = borrowed((out, indices))
    blocks = (out.shape[1] + 3) // 4
    lanes = np.empty((4, padded_columns(blocks)), np.uint32)
    for n in range(start, stop):
        fill_words(lanes, blocks, (np.uint64(indices[n]), *address), draw)
        for w in range(out.shape[1]):
            out[n, w] = lanes[w % 4, w // 4]


@kernel
def _normals_range(out, indices, address, draw, start, stop):
    out, indices = borrowed((out, indices))
    blocks = (out.shape[1] + 3) // 4
    lanes = np.empty((4, padded_columns(blocks)), np.uint32)
    normal_lanes = np.empty(lanes.shape, np.float32)
    for n in range(start, stop):
        fill_words(lanes, blocks, (np.uint64(indices[n]), *address), draw)
        fill_normals(normal_lanes, lanes, blocks)
        for z in range(out.shape[1]):
            out[n, z] = normal_lanes[z % 4, z // 4]


def _fill(
    run: Any, dtype: Any, key: int, indices: philox.Words, view: int, stage: int, count: int, draw: int
) -> NDArray[Any]:
    philox.check_address(key, indices, view, stage, count, draw)
    out = np.empty((len(indices), count), dtype)
    rows = np.require(indices, requirements=("C", "W"))
    address = tuple(map(np.uint64, (view, stage, *philox.split_key(key))))
    for_ranges(
        lambda start, stop: run(out, rows, address, np.uint64(draw), start, stop), len(rows), 1 + 65536 // max(1, count)
    )
    return out


def words(key: int, indices: philox.Words, view: int, stage: int, count: int, draw: int = 0) -> philox.Words:
    """Return `kernels.philox.words`, (N, count) uint32, bit for bit."""
    return _fill(_words_range, np.uint32, key, indices, view, stage, count, draw)


def normals(key: int, indices: philox.Words, view: int, stage: int, count: int, draw: int = 0) -> NDArray[np.float32]:
    """Return `kernels.philox.normals` in float32, (N, count), within 1e-6."""
    return _fill(_normals_range, np.float32, key, indices, view, stage, count, draw)

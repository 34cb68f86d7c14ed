"""Philox4x32-10 and normals as `kernels.philox` defines them: words to the bit, normals in float32 to 1e-6."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import philox
from kernels.cpu.compile import kernel
from kernels.cpu.elementary import radius_of, turn
from kernels.cpu.threads import for_ranges

_M0, _M1 = map(np.uint64, philox.MULTIPLIERS)
_W0, _W1 = map(np.uint64, philox.WEYL)
_LOW, _SHIFT = np.uint64(0xFFFFFFFF), np.uint64(32)
_ROUNDS = philox.ROUNDS


@kernel
def encrypt(c0, c1, c2, c3, k0, k1):
    """Return the four words of one block; everything is uint64, so that LLVM finds the 32 x 32 bit multiplication."""
    for _ in range(_ROUNDS):
        first, second = (c0 & _LOW) * _M0, (c2 & _LOW) * _M1
        c0, c2 = (second >> _SHIFT) ^ c1 ^ k0, (first >> _SHIFT) ^ c3 ^ k1
        c1, c3 = second & _LOW, first & _LOW
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    return c0 & _LOW, c1, c2 & _LOW, c3


@kernel
def fill_words(lanes, count, index, view, stage, draw, k0, k1):
    """Write blocks draw .. draw + count - 1 of a stream to the columns of (4, >= count) uint32."""
    for b in range(count):
        w0, w1, w2, w3 = encrypt(index, view, stage, draw + np.uint64(b), k0, k1)
        lanes[0, b], lanes[1, b] = np.uint32(w0), np.uint32(w1)
        lanes[2, b], lanes[3, b] = np.uint32(w2), np.uint32(w3)


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
def _words_range(out, indices, view, stage, draw, k0, k1, start, stop):
    blocks = (out.shape[1] + 3) // 4
    lanes = np.empty((4, blocks), np.uint32)
    for n in range(start, stop):
        fill_words(lanes, blocks, np.uint64(indices[n]), view, stage, draw, k0, k1)
        for w in range(out.shape[1]):
            out[n, w] = lanes[w % 4, w // 4]


@kernel
def _normals_range(out, indices, view, stage, draw, k0, k1, start, stop):
    blocks = (out.shape[1] + 3) // 4
    lanes = np.empty((4, blocks), np.uint32)
    normal_lanes = np.empty((4, blocks), np.float32)
    for n in range(start, stop):
        fill_words(lanes, blocks, np.uint64(indices[n]), view, stage, draw, k0, k1)
        fill_normals(normal_lanes, lanes, blocks)
        for z in range(out.shape[1]):
            out[n, z] = normal_lanes[z % 4, z // 4]


def _fill(
    run: Any, dtype: Any, key: int, indices: philox.Words, view: int, stage: int, count: int, draw: int
) -> NDArray[Any]:
    philox.check_address(key, indices, view, stage, count, draw)
    out = np.empty((len(indices), count), dtype)
    rows = np.require(indices, requirements=("C", "W"))
    address = [np.uint64(word) for word in (view, stage, draw, *philox.split_key(key))]
    for_ranges(lambda start, stop: run(out, rows, *address, start, stop), len(rows), 1 + 65536 // max(1, count))
    return out


def words(key: int, indices: philox.Words, view: int, stage: int, count: int, draw: int = 0) -> philox.Words:
    """Return `kernels.philox.words`, (N, count) uint32, bit for bit."""
    return _fill(_words_range, np.uint32, key, indices, view, stage, count, draw)


def normals(key: int, indices: philox.Words, view: int, stage: int, count: int, draw: int = 0) -> NDArray[np.float32]:
    """Return `kernels.philox.normals` in float32, (N, count), within 1e-6."""
    return _fill(_normals_range, np.float32, key, indices, view, stage, count, draw)

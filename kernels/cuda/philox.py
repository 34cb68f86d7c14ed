"""Philox4x32-10 and normals as `kernels.philox` defines them: words to the bit, normals in float32 to 1e-6."""

from typing import Any

import numpy as np

from passband.kernels import philox
from passband.kernels.cuda.arrays import Array, contiguous, empty
from passband.kernels.cuda.device import int32, launch


def words(key: int, indices: Any, view: int, stage: int, count: int, draw: int = 0) -> Array:
    """Return `kernels.philox.words`, (N, count) uint32, bit for bit."""
    return _fill("words", np.uint32, key, indices, view, stage, count, draw)


def normals(key: int, indices: Any, view: int, stage: int, count: int, draw: int = 0) -> Array:
    """Return `kernels.philox.normals` in float32, (N, count), within 1e-6."""
    return _fill("normals", np.float32, key, indices, view, stage, count, draw)


def _fill(name: str, dtype: Any, key: int, indices: Any, view: int, stage: int, count: int, draw: int) -> Array:
    philox.check_address(key, indices, view, stage, count, draw)
    rows, blocks = len(indices), (count + 3) // 4
    out = empty((rows, count), dtype)
    address = map(np.uint32, (view, stage, *philox.split_key(key), draw))
    launch("philox.cu", name, rows * blocks, (contiguous(indices), *address, *int32(rows, blocks, count), out))
    return out

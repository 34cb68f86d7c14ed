"""Variances of sine modes folded onto a grid (the identity itself: `kernels.reference.prime.fold_modes`)."""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from passband.kernels.cpu.compile import fma, kernel

_ZERO, _ONE = np.float32(0), np.float32(1)
_MOST_TABULATED = 64 * 64


class ModeTables(NamedTuple):
    """Standard deviations of the modes, at unit temperature, for every limit of a batch.

    Attributes
    ----------
    deviations : (T, H - 2, W - 2) float32
    stops : (T, H - 2) int64
        How many of each row are not zero.
    """

    deviations: NDArray[np.float32]
    stops: NDArray[np.int64]


def tabulate(limits: NDArray[np.int64], height: int, width: int) -> tuple[ModeTables, NDArray[np.int64]]:
    """Return tables and the place of each limit in them; no table, and -1, where images are large.

    At 32 x 32 the variances take as long as the normals that they scale, and only a hundred limits occur.
    """
    modes_y, modes_x = height - 2, width - 2
    if min(modes_y, modes_x) < 1 or modes_y * modes_x > _MOST_TABULATED:
        return ModeTables(np.zeros((0, 1, 1), np.float32), np.zeros((0, 1), np.int64)), np.full(limits.shape, -1)
    different, places = np.unique(limits, return_inverse=True)
    tables = ModeTables(
        np.empty((len(different), modes_y, modes_x), np.float32), np.empty((len(different), modes_y), np.int64)
    )
    for place, limit in enumerate(different):
        tables.deviations[place], tables.stops[place] = _mode_deviations(int(limit), height, width)
    return tables, places.reshape(limits.shape)


@lru_cache(maxsize=1024)
def _mode_deviations(limit: int, height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    deviations, stops = np.empty((height - 2, width - 2), np.float32), np.empty(height - 2, np.int64)
    _fill_deviations(deviations, stops, np.arange(1, width - 1, dtype=np.float32), limit, height, width)
    return deviations, stops


@kernel
def _fill_deviations(deviations, stops, numbers, limit, height, width):
    for p in range(height - 2):
        stops[p] = row_deviations(deviations[p], numbers, p + 1, limit, height, width)


@kernel
def row_deviations(out, numbers, p, limit, height, width):
    """Write the square roots of `row_variances`."""
    stop = row_variances(out, numbers, p, limit, height, width)
    for q in range(out.size):
        out[q] = np.sqrt(out[q])
    return stop


@kernel
def row_variances(out, numbers, p, limit, height, width):
    """Write the folded variances of modes (p, 1..), at unit temperature, to `out`; return how many are not zero.

    A mode sums 1 / (i^2 + j^2) over its aliases i = 2 (H - 1) t +- p and j = 2 (W - 1) u +- q, i^2 + j^2 <= limit.
    `numbers` counts from 1.
    """
    for q in range(out.size):
        out[q] = _ZERO
    stop = 0
    top = _square_root(limit)
    for base_i in range(0, top + p + 1, 2 * (height - 1)):
        for sign_i in (-1, 1):
            i = base_i + sign_i * p
            if i < 1 or i * i >= limit:
                continue
            j_top = _square_root(limit - i * i)
            for base_j in range(0, j_top + width, 2 * (width - 1)):
                last = min(out.size, j_top - base_j)
                _add_inverses(out, numbers, np.float32(i * i), np.int64(1), last, np.float32(base_j))
                first = max(1, base_j - j_top)
                if base_j > 0:
                    _add_inverses(out, numbers, np.float32(i * i), first, out.size, np.float32(-base_j))
                    last = max(last, out.size if first <= out.size else 0)
                stop = max(stop, last)
    return stop


@kernel
def _square_root(number):
    """Return the integer square root."""
    root = int(math.sqrt(number))
    while root * root > number:
        root -= 1
    return root


@kernel
def _add_inverses(out, numbers, square, first, last, base):
    for q in range(first - 1, last):
        j = numbers[q] + base
        out[q] += _ONE / fma(j, j, square)

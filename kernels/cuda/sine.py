"""Displacement fields: sine series on a grid, as two small matrix products in a fixed order of summation.

Not by cuBLAS: it may choose another algorithm for another batch, and a sample's bits may not depend on its batch.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from passband.kernels.checks import check_sine_modes
from passband.kernels.contract import documented
from passband.kernels.cuda.arrays import Array, contiguous, empty
from passband.kernels.cuda.device import Device, current, int32
from passband.kernels.elementary import sin_pi

TILE, DEPTH, THREADS = 64, 16, 256
"""As in ``sine.cu``."""
_SHARED_BYTES = 4 * 2 * DEPTH * (TILE + 4)


def half_basis(modes: int, size: int) -> NDArray[np.float32]:
    """Return sin(pi k j / (size - 1)), k = 1..modes, for the first half of the grid, j = 0..(size - 1) // 2."""
    period = 2 * max(size - 1, 1)
    turns = np.outer(np.arange(1, modes + 1), np.arange((size + 1) // 2)) % period
    return sin_pi(turns * 2 / period).astype(np.float32)


@lru_cache(maxsize=16)
def _basis_on(device: Device, modes: int, size: int) -> Array:
    """Return `half_basis` on the device: the same for every batch."""
    basis = device.asarray(half_basis(modes, size))
    device.synchronize()  # later calls may come on another stream
    return basis


@documented
def sine_field(coefficients: Any, height: int, width: int) -> Array:
    check_sine_modes(coefficients, height, width)
    b = contiguous(coefficients, np.float32)
    return field_of(b, current().xp.full(len(b), max(b.shape[2:]), np.int32), height, width)


def field_of(b: Array, reach: Array, height: int, width: int) -> Array:
    """Return the displacement of checked coefficients; those of modes from ``reach[g]`` on are taken for zero, unread.

    Parameters
    ----------
    b : (G, 2, My, Mx) float32
    reach : (G,) int32
    height, width : int

    Returns
    -------
    (G, 2, H, W) float32
    """
    count, _, *modes = b.shape
    field = empty((count, 2, height, width))
    if not field.size:
        return field
    lines = empty((count, 2, modes[0], width))
    basis_y, basis_x = (_basis_on(current(), m, size) for m, size in zip(modes, (height, width), strict=True))
    half_y, half_x = (height + 1) // 2, (width + 1) // 2
    sizes = int32(*modes, width)
    _launch("sum_columns", count, modes[0], half_x, (b, reach, *sizes, basis_x, lines))
    sizes = int32(modes[0], height, width)
    _launch("sum_rows", count, half_y, width, (lines, reach, *sizes, basis_y, field))
    return field


def _launch(name: str, count: int, rows: int, columns: int, arguments: tuple[Any, ...]) -> None:
    blocks = 2 * count * (-(-rows // TILE)) * (-(-columns // TILE))
    if blocks:
        current().kernel("sine.cu", name)((blocks,), (THREADS,), arguments, shared_mem=_SHARED_BYTES)

"""Displacement fields: sine series on a grid, as two small matrix products in a fixed order of summation."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kernels.checks import check_sine_modes, writable
from kernels.cpu.compile import fma, kernel
from kernels.cpu.threads import for_ranges
from kernels.elementary import sin_pi

_ZERO = np.float32(0)


@lru_cache(maxsize=8)
def half_basis(size: int) -> NDArray[np.float32]:
    """Return sin(pi k j / (size - 1)), k = 1..size - 2, for the first half of the grid: (>= 1, ceil(size / 2)).

    About the middle of the grid odd modes are even and even modes odd, so half the columns say everything.
    """
    period = 2 * max(size - 1, 1)
    turns = np.outer(np.arange(1, max(size - 1, 2)), np.arange((size + 1) // 2)) % period
    return sin_pi(turns * 2 / period).astype(np.float32)


@kernel
def _accumulate(out, rows, coefficients, first, stop):
    """Add sum_q coefficients[q] rows[q] over q = first, first + 2, .. < stop to `out`."""
    q = first
    while q + 6 < stop:
        a0, a1, a2, a3 = coefficients[q], coefficients[q + 2], coefficients[q + 4], coefficients[q + 6]
        for x in range(out.size):
            total = fma(a0, rows[q, x], out[x])
            total = fma(a1, rows[q + 2, x], total)
            total = fma(a2, rows[q + 4, x], total)
            out[x] = fma(a3, rows[q + 6, x], total)
        q += 8
    while q < stop:
        a0 = coefficients[q]
        for x in range(out.size):
            out[x] = fma(a0, rows[q, x], out[x])
        q += 2


@kernel
def _unfold(out, even, odd, size):
    """Write a row from its even and odd part about the middle of the grid."""
    for x in range(even.size):
        out[size - 1 - x] = even[x] - odd[x]
    for x in range(even.size):
        out[x] = even[x] + odd[x]


@kernel
def field_axis(out, b, stops, basis_y, basis_x, scale, rows, halves):
    """Write the sine series of coefficients `b`, (My, Mx), times `scale` to `out`, (H, W).

    `stops`, (My,), says how many coefficients of each row are not zero. `rows`, (>= My, W), and `halves`,
    (2, ceil(W / 2)), are overwritten.
    """
    height, width = out.shape
    modes = b.shape[0]
    for p in range(modes):
        for half in range(2):
            halves[half, :] = _ZERO
            _accumulate(halves[half], basis_x, b[p], half, stops[p])
        _unfold(rows[p], halves[0], halves[1], width)
        for x in range(width):
            rows[p, x] *= scale
    middle = basis_y.shape[1]
    for y in range(middle):
        top, bottom = out[y], out[height - 1 - y]
        for x in range(width):
            top[x] = _ZERO
        _accumulate(top, rows, basis_y[:, y], 0, modes)
        if y == height - 1 - y:
            break  # on the middle row every odd part is zero
        for x in range(width):
            bottom[x] = _ZERO
        _accumulate(bottom, rows, basis_y[:, y], 1, modes)
        for x in range(width):
            even, odd = top[x], bottom[x]
            top[x] = even + odd
            bottom[x] = even - odd


@kernel
def _field_range(out, b, stops, basis_y, basis_x, start, stop):
    _, _, height, width = out.shape
    rows = np.empty((b.shape[2], width), np.float32)
    halves = np.empty((2, basis_x.shape[1]), np.float32)
    for n in range(start, stop):
        field_axis(out[n, 0], b[n, 0], stops, basis_y, basis_x, np.float32(height), rows, halves)
        field_axis(out[n, 1], b[n, 1], stops, basis_y, basis_x, np.float32(width), rows, halves)


def sine_field(coefficients: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Return the displacement whose sine series on linspace(0, 1, H) x linspace(0, 1, W) is given.

    Parameters
    ----------
    coefficients : (N, 2, My, Mx)
        Of sin(pi i y) sin(pi j x), i and j from 1, My <= H - 2, Mx <= W - 2; axis 0 is dy / H, axis 1 dx / W.
    height, width : int

    Returns
    -------
    (N, 2, H, W) float32 in pixels: dy, dx; zero on the border.

    Raises
    ------
    ValueError
        For other shapes, or more modes than differ on the grid.

    Notes
    -----
    Petrini et al. 2021, "Relative stability toward diffeomorphisms", eq. 2.
    """
    b = writable(coefficients)
    check_sine_modes(b, height, width)
    out = np.empty((len(b), 2, height, width), np.float32)
    stops = np.full(b.shape[2], b.shape[3], np.int64)
    bases = half_basis(height), half_basis(width)
    for_ranges(lambda start, stop: _field_range(out, b, stops, *bases, start, stop), len(b), 4)
    return out

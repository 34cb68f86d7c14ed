"""Displacement fields: sine series on a grid, as two small matrix products in a fixed order of summation.

About the middle of the grid the modes 1, 3, .. are even and 2, 4, .. odd, so each product is made for half the grid,
for the two kinds apart, and unfolded at the end.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from passband.kernels.checks import check_sine_modes, writable
from passband.kernels.contract import documented
from passband.kernels.cpu.arrays import borrowed, flat
from passband.kernels.cpu.compile import fma, kernel
from passband.kernels.cpu.threads import for_ranges
from passband.kernels.cpu.vectors import load8, reversed8, spread8, spread_at, store
from passband.kernels.elementary import sin_pi

ROWS, COLUMNS = 4, 16
"""What `_multiply_tile` makes at once; eight registers of sums."""
_ZERO = np.float32(0)
_ONE, _TWO = np.intp(1), np.intp(2)  # as plain numbers they would be types of their own, compiled for apart


def round_up(count: int, multiple: int) -> int:
    """Return the least multiple that is not below `count`."""
    return -(-count // multiple) * multiple


@lru_cache(maxsize=16)
def half_basis(size: int, multiple: int) -> NDArray[np.float32]:
    """Return sin(pi k j / (size - 1)), k = 1..size - 2, for the first half of the grid, padded with zero columns."""
    period, half = 2 * max(size - 1, 1), (size + 1) // 2
    turns = np.outer(np.arange(1, max(size - 1, 2)), np.arange(half)) % period
    basis = np.zeros((len(turns), round_up(half, multiple)), np.float32)
    basis[:, :half] = sin_pi(turns * 2 / period)
    return basis


class FieldScratch(NamedTuple):
    """Memory of one thread for `make_field`.

    Attributes
    ----------
    b : (2, My rounded up to ROWS, Mx) float32
        Coefficients of both axes; rows past the last that counts are zero.
    stops : (My rounded up to ROWS,) int64
        How many coefficients of each row may differ from zero.
    rows, tiles : float32
        Written.
    """

    b: NDArray[np.float32]
    stops: NDArray[np.int64]
    rows: NDArray[np.float32]
    tiles: NDArray[np.float32]


def field_scratch(modes_y: int, modes_x: int, width: int) -> FieldScratch:
    """Return zeroed `FieldScratch` for so many modes on a grid of this width."""
    padded, half = round_up(max(modes_y, 1), ROWS), round_up((width + 1) // 2, COLUMNS)
    return FieldScratch(
        np.zeros((2, padded, max(modes_x, 1)), np.float32),
        np.zeros(padded, np.int64),
        np.zeros((padded, 2 * half), np.float32),
        np.zeros((2, ROWS, 2 * half), np.float32),
    )


@kernel
def _multiply_tile(out, out_place, a, a_place, b, b_place, count):
    """Write sum_k a[r, k] b[k, c] for four rows and sixteen columns.

    Arrays are flat; places are (start, row stride) of out, (start, row stride, k stride) of a, (start, k stride) of b.
    """
    out_at, out_row = out_place
    a_at, a_row, a_step = a_place
    b_at, b_step = b_place
    zero = spread8(_ZERO)
    s00, s10, s20, s30 = zero, zero, zero, zero
    s01, s11, s21, s31 = zero, zero, zero, zero
    a1, a2, a3 = a_at + a_row, a_at + 2 * a_row, a_at + 3 * a_row
    for k in range(count):
        b0, b1 = load8(b, b_at), load8(b, b_at + 8)
        factor = spread_at(a, a_at + k * a_step)
        s00, s01 = fma(factor, b0, s00), fma(factor, b1, s01)
        factor = spread_at(a, a1 + k * a_step)
        s10, s11 = fma(factor, b0, s10), fma(factor, b1, s11)
        factor = spread_at(a, a2 + k * a_step)
        s20, s21 = fma(factor, b0, s20), fma(factor, b1, s21)
        factor = spread_at(a, a3 + k * a_step)
        s30, s31 = fma(factor, b0, s30), fma(factor, b1, s31)
        b_at += b_step
    store(out, out_at, s00)
    store(out, out_at + 8, s01)
    store(out, out_at + out_row, s10)
    store(out, out_at + out_row + 8, s11)
    store(out, out_at + 2 * out_row, s20)
    store(out, out_at + 2 * out_row + 8, s21)
    store(out, out_at + 3 * out_row, s30)
    store(out, out_at + 3 * out_row + 8, s31)


@kernel
def sum_columns(rows, b, stops, modes, basis_x):
    """Write sum_q b[p, q] basis_x[q], even kind then odd kind, to each row p."""
    half, stride = basis_x.shape[1], rows.shape[1]
    for p in range(0, modes, ROWS):
        stop = stops[p : p + ROWS].max()
        for kind in range(2):
            a_place = p * b.shape[1] + kind, b.shape[1], _TWO
            count = (stop - kind + 1) // 2
            for x in range(kind * half, kind * half + half, COLUMNS):
                _multiply_tile(
                    flat(rows), (p * stride + x, stride), flat(b), a_place, flat(basis_x), (x, stride), count
                )


@kernel
def unfold_row(top, bottom, tiles, r, half, scale):
    """Write a row of the upper half and its mirror image from the four kinds."""
    count, last, step = (top.size + 1) // 2, top.size - 1, 2 * half * ROWS
    row, whole, at = flat(tiles), count // 8 * 8, 2 * half * r
    factor = spread8(scale)
    for x in range(0, whole, 8):
        even, odd = load8(row, at + x), load8(row, at + half + x)
        lower_even, lower_odd = load8(row, at + step + x), load8(row, at + step + half + x)
        left, right = even + odd, even - odd
        lower_left, lower_right = lower_even + lower_odd, lower_even - lower_odd
        store(top, x, (left + lower_left) * factor)
        store(bottom, x, (left - lower_left) * factor)
        store(top, last - 7 - x, reversed8((right + lower_right) * factor))
        store(bottom, last - 7 - x, reversed8((right - lower_right) * factor))
    for x in range(whole, count):
        left, right = tiles[0, r, x] + tiles[0, r, half + x], tiles[0, r, x] - tiles[0, r, half + x]
        lower_left, lower_right = tiles[1, r, x] + tiles[1, r, half + x], tiles[1, r, x] - tiles[1, r, half + x]
        top[last - x] = (right + lower_right) * scale
        bottom[last - x] = (right - lower_right) * scale
        top[x] = (left + lower_left) * scale
        bottom[x] = (left - lower_left) * scale


@kernel
def fill_tiles(tiles, rows, basis_y, y, modes):
    """Write what rows y .. y + ROWS - 1 of the upper half are unfolded from, for the two kinds of modes."""
    stride, step = rows.shape[1], basis_y.shape[1]
    for kind in range(2):
        a_place = kind * step + y, _ONE, 2 * step
        count = (modes - kind + 1) // 2
        for x in range(0, stride, COLUMNS):
            out_place, b_place = (kind * ROWS * stride + x, stride), (kind * stride + x, 2 * stride)
            _multiply_tile(flat(tiles), out_place, flat(basis_y), a_place, flat(rows), b_place, count)


@kernel
def make_field(out, axis, modes, scratch, bases, scale):
    """Write the sine series of the first `modes` rows of ``scratch.b[axis]``, times `scale`, to `out`, (H, W)."""
    basis_y, basis_x = bases
    rows, tiles, height = scratch.rows, scratch.tiles, out.shape[0]
    sum_columns(rows, scratch.b[axis], scratch.stops, modes, basis_x)
    for y in range(0, (height + 1) // 2, ROWS):
        fill_tiles(tiles, rows, basis_y, y, modes)
        for r in range(min(ROWS, (height + 1) // 2 - y)):
            unfold_row(out[y + r], out[height - 1 - y - r], tiles, r, basis_x.shape[1], scale)


@kernel
def _field_range(out, coefficients, scratch, bases, start, stop):
    out, coefficients, scratch, bases = borrowed((out, coefficients, scratch, bases))
    _, _, height, width = out.shape
    modes_y, modes_x = coefficients.shape[2:]
    for n in range(start, stop):
        for axis in range(2):
            for p in range(modes_y):
                scratch.stops[p] = modes_x
                for q in range(modes_x):
                    scratch.b[axis, p, q] = coefficients[n, axis, p, q]
            make_field(out[n, axis], axis, modes_y, scratch, bases, np.float32(height if axis == 0 else width))


@documented
def sine_field(coefficients: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    b = writable(coefficients)
    check_sine_modes(b, height, width)
    out = np.empty((len(b), 2, height, width), np.float32)
    bases = half_basis(height, ROWS), half_basis(width, COLUMNS)

    def work(start: int, stop: int) -> None:
        _field_range(out, b, field_scratch(b.shape[2], b.shape[3], width), bases, start, stop)

    for_ranges(work, len(b), 4)
    return out

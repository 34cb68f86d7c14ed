"""Smooth colour: a sine series of each pixel's value, summed by Clenshaw's recurrence."""

import numpy as np
from numpy.typing import NDArray

from passband.kernels.checks import check_float32, check_frequencies, check_shape, writable
from passband.kernels.contract import documented
from passband.kernels.cpu.arrays import borrowed, flat
from passband.kernels.cpu.compile import fma, kernel
from passband.kernels.cpu.elementary import cos_pi, sin_pi_product
from passband.kernels.cpu.threads import for_ranges
from passband.kernels.cpu.vectors import load8, spread8, spread_at, store

BLOCK = 1024
"""Pixels whose cosines and sums are held at once: they stay in the first-level cache."""
SEGMENT = 100
"""Terms of one recurrence, an even number."""
LEVELS = 256
_ZERO, _ONE, _TWO, _WHITE = map(np.float32, (0, 1, 2, 255))


@kernel
def clip_unit(x):
    """Return x clipped to [0, 1]."""
    return min(max(x, _ZERO), _ONE)


@kernel
def _clenshaw(state, count, a, terms):
    """Run b_d = a_d + 2 cos(pi x) b_{d+1} - b_{d+2} from d = terms - 1, `terms` even, down to 0.

    Rows of `state`, (3, BLOCK): b_0 and b_1 (written), 2 cos(pi x). 32 pixels at a time stay in registers.
    """
    row, zero = flat(state), spread8(_ZERO)
    for i in range(0, count, 32):
        at = 2 * BLOCK + i
        c0, c1, c2, c3 = load8(row, at), load8(row, at + 8), load8(row, at + 16), load8(row, at + 24)
        even0, even1, even2, even3 = zero, zero, zero, zero
        odd0, odd1, odd2, odd3 = zero, zero, zero, zero
        for d in range(terms - 2, -1, -2):
            term = spread_at(a, d + 1)
            odd0 = fma(c0, even0, term - odd0)
            odd1 = fma(c1, even1, term - odd1)
            odd2 = fma(c2, even2, term - odd2)
            odd3 = fma(c3, even3, term - odd3)
            term = spread_at(a, d)
            even0 = fma(c0, odd0, term - even0)
            even1 = fma(c1, odd1, term - even1)
            even2 = fma(c2, odd2, term - even2)
            even3 = fma(c3, odd3, term - even3)
        store(row, i, even0)
        store(row, i + 8, even1)
        store(row, i + 16, even2)
        store(row, i + 24, even3)
        store(row, BLOCK + i, odd0)
        store(row, BLOCK + i + 8, odd1)
        store(row, BLOCK + i + 16, odd2)
        store(row, BLOCK + i + 24, odd3)


@kernel
def _add_segment(out, x, first, state):
    """Add b_0 sin(pi first x) - b_1 sin(pi (first - 1) x) to `out`, as long as `x`."""
    k, before = np.float32(first), np.float32(first - 1)
    if first == 1:  # sin(0)
        for i in range(x.size):
            out[i] = fma(state[0, i], sin_pi_product(k, x[i]), out[i])
    else:
        for i in range(x.size):
            total = fma(state[0, i], sin_pi_product(k, x[i]), out[i])
            out[i] = fma(-state[1, i], sin_pi_product(before, x[i]), total)


@kernel
def color_channel(out, x, a, terms, first, state):
    """Write clip(x + sum_d a_d sin(pi (first + d) x)) to `out`; both are flat, `a` has zeros up to `terms`.

    sum_d a_d phi_d = b_0 phi_0 - b_1 phi_{-1}, phi_d = sin(pi (first + d) x), begun anew for every `SEGMENT` terms:
    rounding grows with the square of a recurrence's length.
    """
    for start in range(0, x.size, BLOCK):
        values, sums = x[start : start + BLOCK], out[start : start + BLOCK]
        for i in range(values.size):
            state[2, i] = _TWO * cos_pi(values[i])
            sums[i] = values[i]
        for segment in range(0, terms, SEGMENT):
            _clenshaw(state, values.size, a[segment:], min(SEGMENT, terms - segment))
            _add_segment(sums, values, first + segment, state)
        for i in range(values.size):
            sums[i] = clip_unit(sums[i])


@kernel
def find_levels(levels, x):
    """Write the numbers q with x == q / 255 to `levels` (uint8); return whether all of `x` (flat) is such."""
    exact = True
    for i in range(x.size):
        level = np.rint(clip_unit(x[i]) * _WHITE)
        levels[i] = np.uint8(np.int32(level))
        exact &= x[i] == level / _WHITE
    return exact


@kernel
def color_levels(out, levels, a, terms, first, state, table):
    """Do as `color_channel` for x = levels / 255: same bits, at the cost of 256 pixels. `table`: (2, 256)."""
    for q in range(LEVELS):
        table[0, q] = np.float32(q) / _WHITE
    color_channel(table[1], table[0], a, terms, first, state)
    for i in range(out.size):
        out[i] = table[1, levels[i]]


@kernel
def padded_terms(count):
    """Return `count` rounded up to what the recurrence takes; the extra terms are zeros and change no bit."""
    return (count + 1) // 2 * 2


@kernel
def _color_range(out, images, coefficients, first, start, stop):
    out, images, coefficients, first = borrowed((out, images, coefficients, first))
    channels, terms = coefficients.shape[1], coefficients.shape[2]
    state = np.zeros((3, BLOCK), np.float32)
    a = np.zeros(padded_terms(terms), np.float32)
    for n in range(start, stop):
        for c in range(channels):
            a[:terms] = coefficients[n, c]
            color_channel(out[n, c], images[n, c], a, a.size, first[n], state)


@documented
def smooth_color(
    images: NDArray[np.float32], coefficients: NDArray[np.float32], first_frequency: NDArray[np.integer]
) -> NDArray[np.float32]:
    """Clenshaw 1955. Against float64, for terms of standard deviation 0.1, the sum is off by up to 5e-4 for 100 of them
    (2e-4 where pixels are multiples of 1/255), and by up to 2e-3 for 500.
    """
    x, a = check_float32(images), writable(coefficients)
    check_shape("coefficients", a, len(x), x.shape[1], None)
    first = writable(check_frequencies(first_frequency, len(x)), np.int64)
    flat = x.reshape(*x.shape[:2], x.shape[2] * x.shape[3])
    out = np.empty_like(flat)
    for_ranges(lambda start, stop: _color_range(out, flat, a, first, start, stop), len(x), 4)
    return out.reshape(x.shape)

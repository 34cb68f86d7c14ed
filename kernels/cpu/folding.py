"""Variances of sine modes folded onto a grid (the identity itself: `kernels.reference.prime.fold_modes`)."""

import math

import numpy as np

from kernels.cpu.compile import fma, kernel

_ZERO, _ONE = np.float32(0), np.float32(1)


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
                _add_inverses(out, numbers, np.float32(i * i), 1, last, np.float32(base_j))
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

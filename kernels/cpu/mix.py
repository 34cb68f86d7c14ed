"""Weighted sums of chains."""

import numpy as np
from numpy.typing import NDArray

from passband.kernels.checks import check_shape, writable
from passband.kernels.contract import documented
from passband.kernels.cpu.arrays import borrowed
from passband.kernels.cpu.compile import fma, kernel
from passband.kernels.cpu.threads import for_ranges


@kernel
def mix_two(out, first, first_weight, second, second_weight):
    """Write the weighted sum of two images to `out`, all flat."""
    for i in range(out.size):
        out[i] = fma(second_weight, second[i], first_weight * first[i])


@kernel
def add_into(out, image, weight):
    """Add weight * image to `out`, both flat."""
    for i in range(out.size):
        out[i] = fma(weight, image[i], out[i])


@kernel
def _mix_range(out, chains, weights, start, stop):
    out, chains, weights = borrowed((out, chains, weights))
    for n in range(start, stop):
        out[n, :] = np.float32(0)
        for m in range(chains.shape[0]):
            add_into(out[n], chains[m, n], weights[n, m])


@documented
def mix(chains: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    x, w = writable(chains), writable(weights)
    check_shape("chains", x, *[None] * 5)
    check_shape("weights", w, x.shape[1], x.shape[0])
    out = np.empty((x.shape[1], x[0, 0].size if x.shape[0] and x.shape[1] else 0), np.float32)
    flat = x.reshape(x.shape[0], x.shape[1], out.shape[1])
    for_ranges(lambda start, stop: _mix_range(out, flat, w, start, stop), len(out), 4)
    return out.reshape(x.shape[1:])

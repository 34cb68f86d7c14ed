"""Random spectral filters: one small cross-correlation a sample."""

import numpy as np
from numpy.typing import NDArray

from kernels.checks import check_float32, check_shape, writable
from kernels.cpu.color import clip_unit
from kernels.cpu.compile import fma, kernel
from kernels.cpu.threads import for_ranges


@kernel
def filter_channel(out, x, weights, padded):
    """Write clip(x cross-correlated with `weights`, (K, K)) to `out`, (H, W).

    `padded`, (H + K - 1, W + K - 1), is overwritten; zeros around the image save a test a tap.
    """
    height, width = x.shape
    size = weights.shape[0]
    before = size // 2
    padded[:] = np.float32(0)
    for y in range(height):
        for i in range(width):
            padded[y + before, i + before] = x[y, i]
    for y in range(height):
        if size == 3:
            _filter_row3(out[y], padded[y], padded[y + 1], padded[y + 2], weights)
        else:
            _filter_row(out[y], padded[y : y + size], weights)


@kernel
def _filter_row3(out, upper, middle, lower, w):
    w00, w01, w02 = w[0, 0], w[0, 1], w[0, 2]
    w10, w11, w12 = w[1, 0], w[1, 1], w[1, 2]
    w20, w21, w22 = w[2, 0], w[2, 1], w[2, 2]
    for i in range(out.size):
        total = w00 * upper[i]
        total = fma(w01, upper[i + 1], total)
        total = fma(w02, upper[i + 2], total)
        total = fma(w10, middle[i], total)
        total = fma(w11, middle[i + 1], total)
        total = fma(w12, middle[i + 2], total)
        total = fma(w20, lower[i], total)
        total = fma(w21, lower[i + 1], total)
        total = fma(w22, lower[i + 2], total)
        out[i] = clip_unit(total)


@kernel
def _filter_row(out, rows, weights):
    for i in range(out.size):
        out[i] = np.float32(0)
    for v in range(weights.shape[0]):
        for u in range(weights.shape[1]):
            tap = weights[v, u]
            for i in range(out.size):
                out[i] = fma(tap, rows[v, i + u], out[i])
    for i in range(out.size):
        out[i] = clip_unit(out[i])


@kernel
def _filter_range(out, images, weights, start, stop):
    _, channels, height, width = images.shape
    size = weights.shape[1]
    padded = np.empty((height + size - 1, width + size - 1), np.float32)
    for n in range(start, stop):
        for c in range(channels):
            filter_channel(out[n, c], images[n, c], weights[n], padded)


def random_filter(images: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return clip(x cross-correlated with each sample's filter, zeros outside the image).

    Parameters
    ----------
    images : (N, C, H, W) float32
    weights : (N, K, K)
        Tap (K // 2, K // 2) lies on the pixel itself; the identity is a delta there. K >= 1, odd or even.

    Returns
    -------
    (N, C, H, W) float32 in [0, 1]

    Raises
    ------
    ValueError
        For other shapes, or images that are not float32.

    Notes
    -----
    PRIME (Modas et al. 2022), section 3.2, "spectral"; the released code centres the delta elsewhere for K = 3.
    """
    x, w = check_float32(images), writable(weights)
    check_shape("weights", w, len(x), None, None)
    check_shape("weights", w, len(x), w.shape[2], w.shape[2])
    if w.shape[2] < 1:
        raise ValueError("weights: needs at least one tap")
    out = np.empty_like(x)
    for_ranges(lambda start, stop: _filter_range(out, x, w, start, stop), len(x), 4)
    return out

"""Bilinear warps with clamped coordinates."""

import numpy as np
from numpy.typing import NDArray

from kernels.checks import check_float32, check_shape, writable
from kernels.cpu.compile import fma, kernel
from kernels.cpu.threads import for_ranges

_ZERO = np.float32(0)


@kernel
def warp_image(out, image, displacement):
    """Write x at r - displacement(r) to `out`: (C, H, W), (C, H, W), (2, H, W)."""
    channels, height, width = image.shape
    last_y, last_x = np.float32(height - 1), np.float32(width - 1)
    right, below = min(1, width - 1), min(1, height - 1)
    for y in range(height):
        for x in range(width):
            at_y = min(max(np.float32(y) - displacement[0, y, x], _ZERO), last_y)
            at_x = min(max(np.float32(x) - displacement[1, y, x], _ZERO), last_x)
            top = min(np.int32(at_y), np.int32(height - 1 - below))
            left = min(np.int32(at_x), np.int32(width - 1 - right))
            fy, fx = at_y - np.float32(top), at_x - np.float32(left)
            for c in range(channels):
                a, b = image[c, top, left], image[c, top, left + right]
                d, e = image[c, top + below, left], image[c, top + below, left + right]
                upper = fma(fx, b - a, a)
                lower = fma(fx, e - d, d)
                out[c, y, x] = fma(fy, lower - upper, upper)


@kernel
def _warp_range(out, images, displacement, start, stop):
    for n in range(start, stop):
        warp_image(out[n], images[n], displacement[n])


def warp(images: NDArray[np.float32], displacement: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return x at r - displacement(r), bilinear, coordinates clamped to the image.

    Parameters
    ----------
    images : (N, C, H, W) float32
    displacement : (N, 2, H, W), pixels: dy, dx

    Returns
    -------
    (N, C, H, W) float32

    Raises
    ------
    ValueError
        For other shapes, or images that are not float32.
    """
    x, d = check_float32(images), writable(displacement)
    check_shape("displacement", d, len(x), 2, *x.shape[2:])
    out = np.empty_like(x)
    for_ranges(lambda start, stop: _warp_range(out, x, d, start, stop), len(x), 4)
    return out

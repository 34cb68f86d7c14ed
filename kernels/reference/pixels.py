"""Conversion between stored pixels and images, in float64.

Layouts: pixels (N, H, W, C) uint8, as codecs have them; images (N, C, H, W), as kernels have them.
"""

import numpy as np
from numpy.typing import NDArray

from passband.kernels.checks import check_images
from passband.kernels.contract import documented
from passband.kernels.family_checks import check_pixels, not_finite


@documented
def to_float(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    check_pixels(pixels)
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)) / 255.0


@documented
def to_uint8(images: NDArray[np.floating]) -> NDArray[np.uint8]:
    check_images(images)
    x = images.astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(x).all(axis=(1, 2, 3)))
    if bad.size:
        raise ValueError(not_finite(int(bad[0]), len(x)))
    return np.ascontiguousarray(np.rint(np.clip(x, 0, 1) * 255).astype(np.uint8).transpose(0, 2, 3, 1))

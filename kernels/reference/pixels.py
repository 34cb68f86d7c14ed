"""Conversion between stored pixels and images, in float64.

Layouts: pixels (N, H, W, C) uint8, as codecs have them; images (N, C, H, W), as kernels have them.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from passband.kernels.checks import check_images, is_array
from passband.kernels.contract import documented


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


def check_pixels(pixels: Any) -> None:
    """Raise ValueError unless `pixels` is (N, H, W, C) uint8 with H, W, C >= 1."""
    if not is_array(pixels) or pixels.dtype != np.uint8:
        raise ValueError(f"pixels: needs a uint8 array, got {getattr(pixels, 'dtype', type(pixels).__name__)}")
    if pixels.ndim != 4 or min(pixels.shape[1:]) < 1:
        raise ValueError(f"pixels: needs shape (N, H, W, C) with H, W, C >= 1, got {pixels.shape}")


def check_finite(first_bad: int, count: int) -> None:
    """Raise ValueError if `first_bad`, the first sample that is not finite, is a row of a batch of `count`."""
    if first_bad < count:
        raise ValueError(not_finite(first_bad, count))


def not_finite(row: int, count: int) -> str:
    """Say which sample of a batch cannot be rounded."""
    return f"sample at row {row} of a batch of {count} is not finite: NaN or infinity cannot become a pixel"

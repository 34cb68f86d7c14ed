"""Filters of spectra in float32: whole planes in shared memory where a side has a fused kernel, FFTs elsewhere.

Layouts: images (N, C, H, W); half spectra (N, C, H, K), K = W//2 + 1, zero frequency at (0, 0).
"""

import math
from typing import Any

import numpy as np

from passband.kernels.contract import documented
from passband.kernels.cuda.arrays import Array, as_images, empty
from passband.kernels.cuda.device import current, int32, launch
from passband.kernels.cuda.fourier import filter_spectra
from passband.kernels.cuda.pixels import round_pixels, unfilled_pixels
from passband.kernels.cuda.plane import fused, launch_planes
from passband.kernels.family_checks import PHASE_FLOOR


@documented
def radial_filter(images: Any, low: float, high: float) -> Array:
    images = as_images(images)
    height, width = images.shape[2:]
    bounds = _squared_bounds(low, high)
    if fused(height, width):
        out = empty(images.shape)
        launch_planes("plane_filter.cu", "radial", images, *bounds, out)
        return out

    def keep(spectra: Array) -> None:
        sizes = int32(height, spectra.shape[2])
        launch("spectrum.cu", "keep_radius", spectra.size, (spectra, *sizes, *bounds, np.int64(spectra.size)))

    return filter_spectra(images, keep)


def radial_rounded(images: Any, low: float, high: float) -> tuple[Array, Array]:
    """Return `radial_filter` rounded to pixels, without the image between where a side has a fused kernel.

    Parameters
    ----------
    images : (N, C, H, W) float32
    low, high : float, frequency bins

    Returns
    -------
    pixels, first_bad : as `kernels.cuda.pixels.round_pixels`
    """
    images = as_images(images)
    if not fused(*images.shape[2:]):
        return round_pixels(radial_filter(images, low, high))
    pixels, first_bad = unfilled_pixels(images.shape)
    args = *_squared_bounds(low, high), np.int32(images.shape[1]), pixels, first_bad
    launch_planes("plane_filter.cu", "radial_rounded", images, *args)
    return pixels, first_bad


@documented
def phase_only(images: Any) -> Array:
    images = as_images(images)
    height, width = images.shape[2:]
    if fused(height, width):
        out = empty(images.shape)
        launch_planes("plane_filter.cu", "phase_only", images, np.float32(PHASE_FLOOR), out)
        return out

    def flatten(spectra: Array) -> None:
        kernel = current().kernel("spectrum.cu", "flatten_amplitude")
        args = spectra, *int32(height, width), np.float32(PHASE_FLOOR)
        kernel((len(spectra),), (256,), args, shared_mem=64)  # 8 bytes a warp

    return filter_spectra(images, flatten)


def _squared_bounds(low: float, high: float) -> tuple[np.int32, ...]:
    return int32(_least_squared(low), _least_squared(high))


def _least_squared(radius: float) -> int:
    """Return the least integer whose square root is at least `radius`; what no image reaches for inf and NaN."""
    if not radius < 2**15:  # so that squares of sides up to 2^16 fit an int
        return 2**31 - 1
    squared = int(max(radius, 0) ** 2)
    while math.sqrt(squared) < radius:
        squared += 1
    while squared and math.sqrt(squared - 1) >= radius:
        squared -= 1
    return squared

"""Frequency filters in float32: whole planes in shared memory where a side has a fused kernel, FFTs elsewhere.

Layouts: images (N, C, H, W); half spectra (N, C, H, K), K = W//2 + 1, zero frequency at (0, 0).
"""

import math
from typing import Any

import numpy as np

from kernels.cuda.arrays import Array, as_images, empty
from kernels.cuda.device import int32, launch
from kernels.cuda.fourier import filter_spectra
from kernels.cuda.plane import fused, launch_planes


def radial_filter(images: Any, low: float, high: float) -> Array:
    """Keep the spatial frequencies at distance low <= d < high from zero frequency.

    Parameters
    ----------
    images : (N, C, H, W) float32
    low, high : float, frequency bins; ``high=inf`` for a high-pass

    Returns
    -------
    (N, C, H, W) float32, not clipped: a hard mask rings.

    Notes
    -----
    The disc is centred on zero frequency for odd sizes too (the HFC code's is not). Wang et al. 2020, "High-frequency
    component helps explain the generalization of convolutional neural networks", section 3.1.
    """
    images = as_images(images)
    height, width = images.shape[2:]
    bounds = int32(_least_squared(low), _least_squared(high))
    if fused(height, width):
        out = empty(images.shape)
        launch_planes("plane_filter.cu", "radial", images, *bounds, out)
        return out

    def keep(spectra: Array) -> None:
        sizes = int32(height, spectra.shape[2])
        launch("spectrum.cu", "keep_radius", spectra.size, (spectra, *sizes, *bounds, np.int64(spectra.size)))

    return filter_spectra(images, keep)


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

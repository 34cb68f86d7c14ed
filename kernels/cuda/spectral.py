"""Half spectra in float32, and the step of SADA up a gradient, which takes no angles.

Whole planes are transformed in shared memory where a side has a fused kernel, by the device's FFT elsewhere.

Layouts: images (N, C, H, W); half spectra (N, C, H, K), K = W//2 + 1, zero frequency at (0, 0).
"""

from typing import Any

import numpy as np

from passband.kernels.checks import check_shape, check_width
from passband.kernels.contract import documented
from passband.kernels.cuda.arrays import Array, as_images, contiguous, empty
from passband.kernels.cuda.device import int32, launch
from passband.kernels.cuda.fourier import chunks, forward, inverse
from passband.kernels.cuda.plane import fused, launch_planes

SOURCE = "plane_spectral.cu"


@documented
def half_spectrum(images: Any) -> Array:
    images = as_images(images)
    height, width = images.shape[2:]
    spectra = empty((*images.shape[:3], width // 2 + 1), np.complex64)
    if fused(height, width):
        launch_planes(SOURCE, "half_spectrum", images, spectra)
        return spectra
    for planes, results in chunks(images, spectra):
        results[...] = forward(planes)
    return spectra


@documented
def from_half_spectrum(spectra: Any, width: int) -> Array:
    spectra = _complex64(spectra)
    check_width(spectra, width)
    images = empty((*spectra.shape[:3], width))
    height = images.shape[2]
    if fused(height, width):
        launch_planes(SOURCE, "from_half_spectrum", spectra, images)
        return images
    for results, parts in chunks(images, spectra):
        symmetric = empty(parts.shape, np.complex64)
        launch("spectrum.cu", "symmetrize", parts.size, (parts, *int32(height, width), np.int64(parts.size), symmetric))
        results[...] = inverse(symmetric, width)
    return images


@documented
def scale_spectrum(spectra: Any, factors: Any) -> Array:
    spectra = _complex64(spectra)
    check_shape("factors", factors, *spectra.shape)
    out = empty(spectra.shape, np.complex64)
    args = spectra, contiguous(factors, np.float32), np.int64(out.size), out
    launch("spectrum.cu", "scale_spectrum", out.size, args)
    return out


@documented
def ascend_spectrum(spectra: Any, image_gradient: Any, sensitivity: Any, step_size: float) -> Array:
    spectra, gradient = _complex64(spectra), as_images(image_gradient)
    sizes = step_sizes(sensitivity, step_size, spectra)
    height, width = gradient.shape[2:]
    check_shape("image_gradient's spectrum", spectra, *gradient.shape[:3], width // 2 + 1)
    out = empty(spectra.shape, np.complex64)
    if fused(height, width):
        launch_planes(SOURCE, "ascend_spectrum", gradient, spectra, sizes, out)
        return out
    for planes, parts, results in chunks(gradient, spectra, out):
        counts = *int32(sizes.size), np.int64(parts.size)
        launch("spectrum.cu", "ascend_spectrum", parts.size, (parts, forward(planes), sizes, *counts, results))
    return out


def step_sizes(sensitivity: Any, step_size: float, spectra: Array) -> Array:
    """Return step size times sensitivity on the device, (H, K) float32."""
    check_shape("sensitivity", sensitivity, *spectra.shape[2:])
    return np.float32(step_size) * contiguous(sensitivity, np.float32)


def _complex64(spectra: Any) -> Array:
    check_shape("spectra", spectra, None, None, None, None)
    if spectra.dtype != np.complex64:
        raise ValueError(f"spectra: needs complex64, got {spectra.dtype}")
    return contiguous(spectra)

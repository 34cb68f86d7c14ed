"""Half spectra in float32, and the step of SADA up a gradient, which takes no angles.

Whole planes are transformed in shared memory where a side has a fused kernel, by the device's FFT elsewhere.

Layouts: images (N, C, H, W); half spectra (N, C, H, K), K = W//2 + 1, zero frequency at (0, 0).
"""

from typing import Any

import numpy as np

from passband.kernels.checks import check_shape, check_width
from passband.kernels.cuda.arrays import Array, as_images, contiguous, empty
from passband.kernels.cuda.device import int32, launch
from passband.kernels.cuda.fourier import chunks, forward, inverse
from passband.kernels.cuda.plane import fused, launch_planes

SOURCE = "plane_spectral.cu"


def half_spectrum(images: Any) -> Array:
    """Return the unnormalised FFT at the frequencies that are not another's mirror image.

    Parameters
    ----------
    images : (N, C, H, W) float32

    Returns
    -------
    (N, C, H, W//2 + 1) complex64
    """
    images = as_images(images)
    height, width = images.shape[2:]
    spectra = empty((*images.shape[:3], width // 2 + 1), np.complex64)
    if fused(height, width):
        launch_planes(SOURCE, "half_spectrum", images, spectra)
        return spectra
    for planes, results in chunks(images, spectra):
        results[...] = forward(planes)
    return spectra


def from_half_spectrum(spectra: Any, width: int) -> Array:
    """Return the images of half spectra.

    Parameters
    ----------
    spectra : (N, C, H, K) complex64
    width : int, K = width//2 + 1

    Returns
    -------
    (N, C, H, width) float32, not clipped

    Notes
    -----
    What the mirror images of a bin in the first column (and, for an even width, in the last) disagree about does not
    count, as in the real part of the inverse of a full spectrum.
    """
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


def scale_spectrum(spectra: Any, factors: Any) -> Array:
    """Return F max(0, factors): amplitudes are scaled, phases are kept.

    Parameters
    ----------
    spectra : (N, C, H, K) complex64
    factors : (N, C, H, K) float32
    """
    spectra = _complex64(spectra)
    check_shape("factors", factors, *spectra.shape)
    out = empty(spectra.shape, np.complex64)
    args = spectra, contiguous(factors, np.float32), np.int64(out.size), out
    launch("spectrum.cu", "scale_spectrum", out.size, args)
    return out


def ascend_spectrum(spectra: Any, image_gradient: Any, sensitivity: Any, step_size: float) -> Array:
    """Return spectra whose amplitudes took an `amplitude_step` up the gradient; no angle is taken.

    Parameters
    ----------
    spectra : (N, C, H, K) complex64
    image_gradient : (N, C, H, W) float32
    sensitivity : (H, K) float32
    step_size : float

    Notes
    -----
    dl/dA has the sign of Re(conj(F) FFT(dl/dx)), since A > 0 wherever it matters.
    """
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

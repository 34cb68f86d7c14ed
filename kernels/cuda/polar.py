"""Amplitudes and phases of half spectra in float32, and what is drawn for them.

Angles and their sines are CUDA's own functions'; SADA works on spectra (`kernels.cuda.spectral`) and takes none.

Layouts: images (N, C, H, W); half spectra (N, C, H, K), K = W//2 + 1, zero frequency at (0, 0).
"""

import math
from typing import Any

import numpy as np

from passband.kernels.checks import check_grid_words, check_shape, check_width
from passband.kernels.cuda.arrays import Array, as_images, contiguous, empty
from passband.kernels.cuda.device import int32, launch
from passband.kernels.cuda.spectral import from_half_spectrum, half_spectrum, step_sizes


def amplitude_phase(images: Any) -> tuple[Array, Array]:
    """Return amplitude and phase of the half spectrum.

    Parameters
    ----------
    images : (N, C, H, W) float32

    Returns
    -------
    amplitude, phase : (N, C, H, W//2 + 1) float32 each
        F = A exp(i P), unnormalised; phases in radians, (-pi, pi].

    Notes
    -----
    Zhang et al. 2023, "When neural networks fail to generalize? A model sensitivity perspective", section 3.
    """
    spectra = half_spectrum(images)
    amplitude, phase = empty(spectra.shape), empty(spectra.shape)
    launch("polar.cu", "to_polar", spectra.size, (spectra, np.int64(spectra.size), amplitude, phase))
    return amplitude, phase


def from_amplitude_phase(amplitude: Any, phase: Any, width: int) -> Array:
    """Return the images that have these half spectra.

    Parameters
    ----------
    amplitude, phase : (N, C, H, K) float32
    width : int, K = width//2 + 1

    Returns
    -------
    (N, C, H, width) float32, not clipped

    Raises
    ------
    ValueError
        If `width` does not fit K, or the shapes differ.
    """
    amplitude, phase = as_images(amplitude), as_images(phase)
    check_shape("phase", phase, *amplitude.shape)
    spectra = empty(amplitude.shape, np.complex64)
    launch("polar.cu", "from_polar", spectra.size, (amplitude, phase, np.int64(spectra.size), spectra))
    return from_half_spectrum(spectra, width)


def amplitude_gradient(image_gradient: Any, phase: Any) -> Array:
    """Return dl/dA = Re(exp(-iP) FFT(dl/dx)) / (H W).

    Parameters
    ----------
    image_gradient : (N, C, H, W) float32
        Gradient of a loss by the image that a full amplitude spectrum A and phase P give: x = Re IFFT(A exp(iP)).
    phase : (N, C, H, K) float32

    Returns
    -------
    (N, C, H, K) float32
        The gradient by A at the bins of the half spectrum; that at a bin's mirror image is equal.
    """
    spectra, phase = half_spectrum(image_gradient), as_images(phase)
    check_shape("phase", phase, *spectra.shape)
    gradient = empty(phase.shape)
    scale = np.float32(1 / math.prod(image_gradient.shape[2:]))
    launch("polar.cu", "project", phase.size, (spectra, phase, scale, np.int64(phase.size), gradient))
    return gradient


def amplitude_step(amplitude: Any, gradient: Any, sensitivity: Any, step_size: float) -> Array:
    """Return max(0, A (1 + step_size sign(gradient) S)): one ascent step on amplitudes (Zhang et al. 2023, eq. 7).

    Parameters
    ----------
    amplitude, gradient : (N, C, H, K) float32
    sensitivity : (H, K) float32
        S, shared by the batch, in FFT layout and used as given: a caller that wants 1 + map adds the 1.
    step_size : float
    """
    amplitude, gradient = as_images(amplitude), as_images(gradient)
    check_shape("gradient", gradient, *amplitude.shape)
    sizes = step_sizes(sensitivity, step_size, amplitude)
    stepped = empty(amplitude.shape)
    counts = *int32(sizes.size), np.int64(stepped.size)
    launch("polar.cu", "amplitude_step", stepped.size, (amplitude, gradient, sizes, *counts, stepped))
    return stepped


def symmetric_noise(words: Any, limit: float) -> Array:
    """Return (U + mirror(U)) / 2 on the half spectrum, U uniform in (-limit, limit) on the full grid.

    Parameters
    ----------
    words : (N, C, H, W) uint32
        One for each bin of the full grid: U = limit (2 (word + 1/2) / 2^32 - 1).
    limit : float

    Returns
    -------
    (N, C, H, W//2 + 1) float32

    Notes
    -----
    The real part of the inverse FFT of an asymmetric amplitude spectrum is the inverse of its symmetric part, so this
    is what the full grid's draw does to an image; independent draws on the half grid would be sqrt(2) too large.
    """
    check_grid_words("words", words)
    words = contiguous(words)
    height, width = words.shape[2:]
    noise = empty((*words.shape[:3], width // 2 + 1))
    args = words, *int32(height, width), np.float32(limit / 2**32), np.int64(noise.size), noise
    launch("polar.cu", "symmetric_noise", noise.size, args)
    return noise


def symmetric_signs(words: Any, width: int) -> Array:
    """Return +1 or -1 for each bin of a half spectrum, equal for a bin and its mirror image.

    Parameters
    ----------
    words : (N, C, H, W//2 + 1) uint32
        -1 where the highest bit is set. Of two bins of one column that mirror each other the upper row decides.
    width : int
    """
    check_grid_words("words", words)
    check_width(words, width)
    words = contiguous(words)
    signs = empty(words.shape)
    launch(
        "polar.cu", "symmetric_signs", signs.size, (words, *int32(words.shape[2], width), np.int64(signs.size), signs)
    )
    return signs

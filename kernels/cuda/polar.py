"""Amplitudes and phases of half spectra in float32, and what is drawn for them.

Angles and their sines are CUDA's own functions'; SADA works on spectra (`kernels.cuda.spectral`) and takes none.

Layouts: images (N, C, H, W); half spectra (N, C, H, K), K = W//2 + 1, zero frequency at (0, 0).
"""

import math
from typing import Any

import numpy as np

from passband.kernels.checks import check_grid_words, check_shape, check_width
from passband.kernels.contract import documented
from passband.kernels.cuda.arrays import Array, as_images, contiguous, empty
from passband.kernels.cuda.device import int32, launch
from passband.kernels.cuda.spectral import from_half_spectrum, half_spectrum, step_sizes


@documented
def amplitude_phase(images: Any) -> tuple[Array, Array]:
    spectra = half_spectrum(images)
    amplitude, phase = empty(spectra.shape), empty(spectra.shape)
    launch("polar.cu", "to_polar", spectra.size, (spectra, np.int64(spectra.size), amplitude, phase))
    return amplitude, phase


@documented
def from_amplitude_phase(amplitude: Any, phase: Any, width: int) -> Array:
    amplitude, phase = as_images(amplitude), as_images(phase)
    check_shape("phase", phase, *amplitude.shape)
    spectra = empty(amplitude.shape, np.complex64)
    launch("polar.cu", "from_polar", spectra.size, (amplitude, phase, np.int64(spectra.size), spectra))
    return from_half_spectrum(spectra, width)


@documented
def amplitude_gradient(image_gradient: Any, phase: Any) -> Array:
    spectra, phase = half_spectrum(image_gradient), as_images(phase)
    check_shape("phase", phase, *spectra.shape)
    gradient = empty(phase.shape)
    scale = np.float32(1 / math.prod(image_gradient.shape[2:]))
    launch("polar.cu", "project", phase.size, (spectra, phase, scale, np.int64(phase.size), gradient))
    return gradient


@documented
def amplitude_step(amplitude: Any, gradient: Any, sensitivity: Any, step_size: float) -> Array:
    amplitude, gradient = as_images(amplitude), as_images(gradient)
    check_shape("gradient", gradient, *amplitude.shape)
    sizes = step_sizes(sensitivity, step_size, amplitude)
    stepped = empty(amplitude.shape)
    counts = *int32(sizes.size), np.int64(stepped.size)
    launch("polar.cu", "amplitude_step", stepped.size, (amplitude, gradient, sizes, *counts, stepped))
    return stepped


@documented
def symmetric_noise(words: Any, limit: float) -> Array:
    check_grid_words("words", words)
    words = contiguous(words)
    height, width = words.shape[2:]
    noise = empty((*words.shape[:3], width // 2 + 1))
    args = words, *int32(height, width), np.float32(limit / 2**32), np.int64(noise.size), noise
    launch("polar.cu", "symmetric_noise", noise.size, args)
    return noise


@documented
def symmetric_signs(words: Any, width: int) -> Array:
    check_grid_words("words", words)
    check_width(words, width)
    words = contiguous(words)
    signs = empty(words.shape)
    launch(
        "polar.cu", "symmetric_signs", signs.size, (words, *int32(words.shape[2], width), np.int64(signs.size), signs)
    )
    return signs

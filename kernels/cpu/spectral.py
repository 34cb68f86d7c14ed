"""What SADA does to amplitude spectra, in float32 on the half spectrum, chunk by chunk.

The bits of scipy.fft do not depend on the chunk or on the processor; what stands between two transforms is Numba for
the common baseline. `amplitude_phase`, `from_amplitude_phase` and `amplitude_gradient` take angles, by the C
library's functions; the stage works on spectra instead and takes none.

Layouts: images (N, C, H, W); half spectra (N, C, H, K), K = W//2 + 1, zero frequency at (0, 0).
"""

import math

import numpy as np
import scipy  # its parts are imported when first used
from numpy.typing import NDArray

from passband.kernels.checks import check_float32, check_grid_words, check_shape, check_width, writable
from passband.kernels.contract import documented
from passband.kernels.cpu.chunks import chunk_rows
from passband.kernels.cpu.compile import kernel
from passband.kernels.cpu.threads import for_ranges
from passband.kernels.elementary import cos_pi
from passband.kernels.family_checks import check_frequency

Images = NDArray[np.float32]
Spectra = NDArray[np.complex64]
Words = NDArray[np.uint32]


@documented
def half_spectrum(images: Images) -> Spectra:
    images = check_float32(images)
    count, channels, height, width = images.shape
    spectra = np.empty((count, channels, height, width // 2 + 1), np.complex64)

    def work(start: int, stop: int) -> None:
        spectra[start:stop] = scipy.fft.rfft2(images[start:stop])

    for_ranges(work, count, chunk_rows(count, math.prod(images.shape[1:])))
    return spectra


@documented
def from_half_spectrum(spectra: Spectra, width: int) -> Images:
    spectra = _complex64(spectra)
    check_width(spectra, width)
    count, channels, height, _ = spectra.shape
    images = np.empty((count, channels, height, width), np.float32)

    def work(start: int, stop: int) -> None:
        images[start:stop] = scipy.fft.irfft2(spectra[start:stop], s=(height, width))

    for_ranges(work, count, chunk_rows(count, math.prod(images.shape[1:])))
    return images


@documented
def amplitude_phase(images: Images) -> tuple[Images, Images]:
    spectra = half_spectrum(images)
    amplitude, phase = (np.empty(spectra.shape, np.float32) for _ in range(2))
    parts, *polar = (_as_rows(array) for array in (spectra.view(np.float32), amplitude, phase))

    def work(start: int, stop: int) -> None:
        _to_polar(parts[start:stop], *(rows[start:stop] for rows in polar))

    for_ranges(work, len(parts), chunk_rows(len(parts), parts.shape[1]))
    return amplitude, phase


@documented
def from_amplitude_phase(amplitude: Images, phase: Images, width: int) -> Images:
    amplitude, phase = check_float32(amplitude), check_float32(phase)
    check_shape("phase", phase, *amplitude.shape)
    spectra = np.empty(amplitude.shape, np.complex64)
    _from_polar(amplitude.reshape(-1), phase.reshape(-1), spectra.view(np.float32).reshape(-1))
    return from_half_spectrum(spectra, width)


@documented
def amplitude_gradient(image_gradient: Images, phase: Images) -> Images:
    spectra, phase = half_spectrum(image_gradient), check_float32(phase)
    check_shape("phase", phase, *spectra.shape)
    gradient = np.empty(phase.shape, np.float32)
    scale = np.float32(1 / math.prod(image_gradient.shape[2:]))
    _project(spectra.view(np.float32).reshape(-1), phase.reshape(-1), scale, gradient.reshape(-1))
    return gradient


@documented
def amplitude_step(amplitude: Images, gradient: Images, sensitivity: Images, step_size: float) -> Images:
    amplitude, gradient = check_float32(amplitude), check_float32(gradient)
    check_shape("gradient", gradient, *amplitude.shape)
    check_shape("sensitivity", sensitivity, *amplitude.shape[2:])
    size = np.float32(step_size) * np.asarray(sensitivity, np.float32)
    return np.maximum(np.float32(0), amplitude * (np.float32(1) + np.sign(gradient) * size))


@documented
def fourier_basis(height: int, width: int, i: int, j: int) -> Images:
    check_frequency(height, width, i, j)
    turns = np.add.outer(np.arange(height) * i * width, np.arange(width) * j * height) % (height * width)
    own_mirror = 2 * i % height == 0 and 2 * j % width == 0  # its values are +1 and -1
    norm = math.sqrt(height * width / (1 if own_mirror else 2))
    image: Images = (cos_pi(2 * turns / (height * width)) / norm).astype(np.float32)
    return image


@documented
def scale_spectrum(spectra: Spectra, factors: Images) -> Spectra:
    spectra = _complex64(spectra)
    check_shape("factors", factors, *spectra.shape)
    out = np.empty_like(spectra)
    factors = writable(factors)
    _scale(spectra.view(np.float32).reshape(-1), factors.reshape(-1), out.view(np.float32).reshape(-1))
    return out


@documented
def ascend_spectrum(spectra: Spectra, image_gradient: Images, sensitivity: Images, step_size: float) -> Spectra:
    spectra = _complex64(spectra)
    check_shape("sensitivity", sensitivity, *spectra.shape[2:])
    towards = half_spectrum(image_gradient)
    check_shape("image_gradient's spectrum", towards, *spectra.shape)
    size = np.float32(step_size) * writable(sensitivity)
    out = np.empty_like(spectra)
    planes = (_as_rows(array.view(np.float32), 2) for array in (spectra, towards, out))
    _ascend(*planes, size.reshape(-1))
    return out


@documented
def symmetric_noise(words: Words, limit: float) -> Images:
    check_grid_words("words", words)
    count, channels, height, width = words.shape
    noise = np.empty((count * channels, height, width // 2 + 1), np.float32)
    _fold_noise(writable(words, np.uint32).reshape(count * channels, height, width), np.float64(limit), noise)
    return noise.reshape(count, channels, height, width // 2 + 1)


@documented
def symmetric_signs(words: Words, width: int) -> Images:
    check_grid_words("words", words)
    check_width(words, width)
    signs = np.where(words >> np.uint32(31) == 1, np.float32(-1), np.float32(1))
    height = words.shape[2]
    u = np.arange(height)
    for v in {0, width // 2} if width % 2 == 0 else {0}:
        signs[:, :, :, v] = signs[:, :, np.minimum(u, (height - u) % height), v]
    return signs


def _as_rows(array: NDArray[np.float32], axes: int = 1) -> NDArray[np.float32]:
    """Return a contiguous array as rows, one for each place on its first axes."""
    return array.reshape(math.prod(array.shape[:axes]), math.prod(array.shape[axes:]))


def _complex64(spectra: Spectra) -> Spectra:
    check_shape("spectra", spectra, None, None, None, None)
    if spectra.dtype != np.complex64:
        raise ValueError(f"spectra: needs complex64, got {spectra.dtype}")
    return writable(spectra, np.complex64)


@kernel
def _to_polar(parts, amplitudes, phases):
    for n in range(amplitudes.shape[0]):
        for k in range(amplitudes.shape[1]):
            real, imaginary = np.float64(parts[n, 2 * k]), np.float64(parts[n, 2 * k + 1])
            amplitudes[n, k] = np.sqrt(real * real + imaginary * imaginary)
            phases[n, k] = math.atan2(imaginary, real)


@kernel
def _from_polar(amplitudes, phases, parts):
    for k in range(amplitudes.shape[0]):
        amplitude, phase = np.float64(amplitudes[k]), np.float64(phases[k])
        parts[2 * k] = amplitude * math.cos(phase)
        parts[2 * k + 1] = amplitude * math.sin(phase)


@kernel
def _project(parts, phases, scale, gradients):
    for k in range(phases.shape[0]):
        phase = np.float64(phases[k])
        along = np.float64(parts[2 * k]) * math.cos(phase) + np.float64(parts[2 * k + 1]) * math.sin(phase)
        gradients[k] = along * scale


@kernel
def _scale(parts, factors, out):
    for k in range(factors.shape[0]):
        factor = max(np.float32(0), factors[k])
        out[2 * k] = parts[2 * k] * factor
        out[2 * k + 1] = parts[2 * k + 1] * factor


@kernel
def _ascend(parts, towards, out, sizes):
    for p in range(parts.shape[0]):
        for k in range(sizes.shape[0]):
            real, imaginary = parts[p, 2 * k], parts[p, 2 * k + 1]
            # In float64 both products are exact, so no order and no contraction can turn a sign.
            along = np.float64(real) * np.float64(towards[p, 2 * k])
            along += np.float64(imaginary) * np.float64(towards[p, 2 * k + 1])
            sign = np.float32(0)
            if along > 0:
                sign = np.float32(1)
            elif along < 0:
                sign = np.float32(-1)
            factor = max(np.float32(0), np.float32(1) + sign * sizes[k])
            out[p, 2 * k] = real * factor
            out[p, 2 * k + 1] = imaginary * factor


@kernel
def _fold_noise(words, limit, noise):
    height, width = words.shape[1], words.shape[2]
    for p in range(words.shape[0]):
        for u in range(height):
            mirrored = (height - u) % height
            for v in range(noise.shape[2]):
                total = np.float64(words[p, u, v]) + np.float64(words[p, mirrored, (width - v) % width])
                noise[p, u, v] = limit * ((total + 1.0) / 4294967296.0 - 1.0)

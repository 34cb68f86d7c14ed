"""What SADA does to amplitude spectra, in float32 on the half spectrum, chunk by chunk.

The bits of scipy.fft do not depend on the chunk or on the processor; what stands between two transforms is Numba for
the common baseline. `amplitude_phase`, `from_amplitude_phase` and `amplitude_gradient` take angles, by the C
library's functions; the stage works on spectra instead and takes none.

Layouts: images (N, C, H, W); half spectra (N, C, H, K), K = W//2 + 1, zero frequency at (0, 0).
"""

import math

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from passband.kernels.checks import check_float32, check_grid_words, check_shape, check_width, writable
from passband.kernels.cpu.chunks import chunk_rows
from passband.kernels.cpu.compile import kernel
from passband.kernels.cpu.threads import for_ranges
from passband.kernels.elementary import cos_pi
from passband.kernels.reference.spectral import check_frequency

Images = NDArray[np.float32]
Spectra = NDArray[np.complex64]
Words = NDArray[np.uint32]


def half_spectrum(images: Images) -> Spectra:
    """Return the unnormalised FFT at the frequencies that are not another's mirror image.

    Parameters
    ----------
    images : (N, C, H, W) float32

    Returns
    -------
    (N, C, H, W//2 + 1) complex64
    """
    images = check_float32(images)
    count, channels, height, width = images.shape
    spectra = np.empty((count, channels, height, width // 2 + 1), np.complex64)

    def work(start: int, stop: int) -> None:
        spectra[start:stop] = scipy.fft.rfft2(images[start:stop])

    for_ranges(work, count, chunk_rows(count, math.prod(images.shape[1:])))
    return spectra


def from_half_spectrum(spectra: Spectra, width: int) -> Images:
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
    count, channels, height, _ = spectra.shape
    images = np.empty((count, channels, height, width), np.float32)

    def work(start: int, stop: int) -> None:
        images[start:stop] = scipy.fft.irfft2(spectra[start:stop], s=(height, width))

    for_ranges(work, count, chunk_rows(count, math.prod(images.shape[1:])))
    return images


def amplitude_phase(images: Images) -> tuple[Images, Images]:
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
    amplitude, phase = (np.empty(spectra.shape, np.float32) for _ in range(2))
    parts, *polar = (_as_rows(array) for array in (spectra.view(np.float32), amplitude, phase))

    def work(start: int, stop: int) -> None:
        _to_polar(parts[start:stop], *(rows[start:stop] for rows in polar))

    for_ranges(work, len(parts), chunk_rows(len(parts), parts.shape[1]))
    return amplitude, phase


def from_amplitude_phase(amplitude: Images, phase: Images, width: int) -> Images:
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
    amplitude, phase = check_float32(amplitude), check_float32(phase)
    check_shape("phase", phase, *amplitude.shape)
    spectra = np.empty(amplitude.shape, np.complex64)
    _from_polar(amplitude.reshape(-1), phase.reshape(-1), spectra.view(np.float32).reshape(-1))
    return from_half_spectrum(spectra, width)


def amplitude_gradient(image_gradient: Images, phase: Images) -> Images:
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
    spectra, phase = half_spectrum(image_gradient), check_float32(phase)
    check_shape("phase", phase, *spectra.shape)
    gradient = np.empty(phase.shape, np.float32)
    scale = np.float32(1 / math.prod(image_gradient.shape[2:]))
    _project(spectra.view(np.float32).reshape(-1), phase.reshape(-1), scale, gradient.reshape(-1))
    return gradient


def amplitude_step(amplitude: Images, gradient: Images, sensitivity: Images, step_size: float) -> Images:
    """Return max(0, A (1 + step_size sign(gradient) S)): one ascent step on amplitudes (Zhang et al. 2023, eq. 7).

    Parameters
    ----------
    amplitude, gradient : (N, C, H, K) float32
    sensitivity : (H, K) float32
        S, shared by the batch, in FFT layout and used as given: a caller that wants 1 + map adds the 1.
    step_size : float
    """
    amplitude, gradient = check_float32(amplitude), check_float32(gradient)
    check_shape("gradient", gradient, *amplitude.shape)
    check_shape("sensitivity", sensitivity, *amplitude.shape[2:])
    size = np.float32(step_size) * np.asarray(sensitivity, np.float32)
    return np.maximum(np.float32(0), amplitude * (np.float32(1) + np.sign(gradient) * size))


def fourier_basis(height: int, width: int, i: int, j: int) -> Images:
    """Return the real image of unit l2 norm that has only frequency (i, j) and its mirror image.

    Parameters
    ----------
    height, width : int, at least 1
    i, j : int
        Row and column of the frequency in FFT layout, 0 <= i < height, 0 <= j < width.

    Returns
    -------
    (H, W) float32, the cosine of that frequency; a caller chooses the sign

    Raises
    ------
    ValueError
        If (i, j) is no frequency of such an image.

    Notes
    -----
    U_ij of Zhang et al. 2023, eq. 2, after Yin et al. 2019, "A Fourier perspective on model robustness".
    """
    check_frequency(height, width, i, j)
    turns = np.add.outer(np.arange(height) * i * width, np.arange(width) * j * height) % (height * width)
    own_mirror = 2 * i % height == 0 and 2 * j % width == 0  # its values are +1 and -1
    norm = math.sqrt(height * width / (1 if own_mirror else 2))
    image: Images = (cos_pi(2 * turns / (height * width)) / norm).astype(np.float32)
    return image


def scale_spectrum(spectra: Spectra, factors: Images) -> Spectra:
    """Return F max(0, factors): amplitudes are scaled, phases are kept.

    Parameters
    ----------
    spectra : (N, C, H, K) complex64
    factors : (N, C, H, K) float32
    """
    spectra = _complex64(spectra)
    check_shape("factors", factors, *spectra.shape)
    out = np.empty_like(spectra)
    factors = writable(factors)
    _scale(spectra.view(np.float32).reshape(-1), factors.reshape(-1), out.view(np.float32).reshape(-1))
    return out


def ascend_spectrum(spectra: Spectra, image_gradient: Images, sensitivity: Images, step_size: float) -> Spectra:
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
    spectra = _complex64(spectra)
    check_shape("sensitivity", sensitivity, *spectra.shape[2:])
    towards = half_spectrum(image_gradient)
    check_shape("image_gradient's spectrum", towards, *spectra.shape)
    size = np.float32(step_size) * writable(sensitivity)
    out = np.empty_like(spectra)
    planes = (_as_rows(array.view(np.float32), 2) for array in (spectra, towards, out))
    _ascend(*planes, size.reshape(-1))
    return out


def symmetric_noise(words: Words, limit: float) -> Images:
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
    count, channels, height, width = words.shape
    noise = np.empty((count * channels, height, width // 2 + 1), np.float32)
    _fold_noise(writable(words, np.uint32).reshape(count * channels, height, width), np.float64(limit), noise)
    return noise.reshape(count, channels, height, width // 2 + 1)


def symmetric_signs(words: Words, width: int) -> Images:
    """Return +1 or -1 for each bin of a half spectrum, equal for a bin and its mirror image.

    Parameters
    ----------
    words : (N, C, H, W//2 + 1) uint32
        -1 where the highest bit is set. Of two bins of one column that mirror each other the upper row decides.
    width : int
    """
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

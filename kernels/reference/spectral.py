"""What SADA does to amplitude spectra, in float64 and with full complex exponentials.

Layouts: images (N, C, H, W); half spectra (N, C, H, K), K = W//2 + 1, zero frequency at (0, 0).
"""

import numpy as np
from numpy.typing import NDArray

from passband.kernels.checks import check_grid_words, check_images, check_shape, check_width
from passband.kernels.contract import documented
from passband.kernels.family_checks import check_frequency

Images = NDArray[np.floating]
Words = NDArray[np.uint32]
Floats = NDArray[np.float64]
Spectra = NDArray[np.complex128]


@documented
def amplitude_phase(images: Images) -> tuple[Floats, Floats]:
    spectra = half_spectrum(images)
    return np.abs(spectra), np.angle(spectra)


@documented
def from_amplitude_phase(amplitude: Images, phase: Images, width: int) -> Floats:
    check_shape("phase", phase, *np.shape(amplitude))
    return from_half_spectrum(np.asarray(amplitude) * np.exp(1j * np.asarray(phase, np.float64)), width)


@documented
def amplitude_gradient(image_gradient: Images, phase: Images) -> Floats:
    height, width = np.shape(image_gradient)[2:]
    check_shape("phase", phase, *np.shape(image_gradient)[:2], height, width // 2 + 1)
    turned = np.exp(-1j * np.asarray(phase, np.float64)) * half_spectrum(image_gradient)
    return turned.real / (height * width)


@documented
def amplitude_step(amplitude: Images, gradient: Images, sensitivity: NDArray[np.floating], step_size: float) -> Floats:
    check_shape("gradient", gradient, *np.shape(amplitude))
    check_shape("sensitivity", sensitivity, *np.shape(amplitude)[2:])
    factors = 1 + step_size * np.sign(np.asarray(gradient, np.float64)) * np.asarray(sensitivity, np.float64)
    return np.maximum(0, np.asarray(amplitude, np.float64) * factors)


@documented
def fourier_basis(height: int, width: int, i: int, j: int) -> Floats:
    check_frequency(height, width, i, j)
    spike = np.zeros((height, width))
    spike[i, j] = 1
    image = np.fft.ifft2(spike).real
    return image / np.sqrt(np.sum(image**2))


@documented
def half_spectrum(images: Images) -> Spectra:
    check_images(images)
    return np.fft.fft2(np.asarray(images, np.float64))[..., : images.shape[3] // 2 + 1]


@documented
def from_half_spectrum(spectra: NDArray[np.complexfloating], width: int) -> Floats:
    check_width(spectra, width)
    full = np.zeros((*spectra.shape[:3], width), np.complex128)
    full[..., : spectra.shape[3]] = spectra
    inner = np.arange(1, (width + 1) // 2)  # their mirror images are not in the half spectrum
    rows = -np.arange(spectra.shape[2]) % spectra.shape[2]
    full[..., width - inner] = np.conj(spectra[:, :, rows][..., inner])
    return np.fft.ifft2(full).real


@documented
def scale_spectrum(spectra: NDArray[np.complexfloating], factors: NDArray[np.floating]) -> Spectra:
    check_shape("factors", factors, *spectra.shape)
    return np.asarray(spectra, np.complex128) * np.maximum(0, np.asarray(factors, np.float64))


@documented
def ascend_spectrum(
    spectra: NDArray[np.complexfloating],
    image_gradient: Images,
    sensitivity: NDArray[np.floating],
    step_size: float,
) -> Spectra:
    check_shape("sensitivity", sensitivity, *spectra.shape[2:])
    agreement = np.sign((np.conj(spectra) * half_spectrum(image_gradient)).real)
    return scale_spectrum(spectra, 1 + step_size * agreement * np.asarray(sensitivity, np.float64))


@documented
def symmetric_noise(words: Words, limit: float) -> Floats:
    check_grid_words("words", words)
    height, width = words.shape[2:]
    uniform = limit * (2 * ((words.astype(np.float64) + 0.5) / 2**32) - 1)
    rows, columns = -np.arange(height) % height, -np.arange(width) % width
    return ((uniform + uniform[:, :, rows][..., columns]) / 2)[..., : width // 2 + 1]


@documented
def symmetric_signs(words: Words, width: int) -> Floats:
    check_grid_words("words", words)
    check_width(words, width)
    signs = np.where(words >> np.uint32(31) == 1, -1.0, 1.0)
    height = words.shape[2]
    u = np.arange(height)
    for v in {0, width // 2} if width % 2 == 0 else {0}:
        signs[:, :, :, v] = signs[:, :, np.minimum(u, (height - u) % height), v]
    return signs

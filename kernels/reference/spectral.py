"""What SADA does to amplitude spectra, in float64 and with full complex exponentials.

Layouts: images (N, C, H, W); half spectra (N, C, H, K), K = W//2 + 1, zero frequency at (0, 0).
"""

import numpy as np
from numpy.typing import NDArray

from passband.kernels.checks import check_grid_words, check_images, check_shape, check_width

Images = NDArray[np.floating]
Words = NDArray[np.uint32]
Floats = NDArray[np.float64]
Spectra = NDArray[np.complex128]


def amplitude_phase(images: Images) -> tuple[Floats, Floats]:
    """Return amplitude and phase of the half spectrum.

    Parameters
    ----------
    images : (N, C, H, W) float

    Returns
    -------
    amplitude, phase : (N, C, H, W//2 + 1) float64 each
        F = A exp(i P), unnormalised; phases in radians, (-pi, pi].

    Notes
    -----
    Zhang et al. 2023, "When neural networks fail to generalize? A model sensitivity perspective", section 3.
    """
    spectra = half_spectrum(images)
    return np.abs(spectra), np.angle(spectra)


def from_amplitude_phase(amplitude: Images, phase: Images, width: int) -> Floats:
    """Return the images that have these half spectra.

    Parameters
    ----------
    amplitude, phase : (N, C, H, K) float
    width : int, K = width//2 + 1

    Returns
    -------
    (N, C, H, width) float64, not clipped

    Raises
    ------
    ValueError
        If `width` does not fit K, or the shapes differ.
    """
    check_shape("phase", phase, *np.shape(amplitude))
    return from_half_spectrum(np.asarray(amplitude) * np.exp(1j * np.asarray(phase, np.float64)), width)


def amplitude_gradient(image_gradient: Images, phase: Images) -> Floats:
    """Return dl/dA = Re(exp(-iP) FFT(dl/dx)) / (H W).

    Parameters
    ----------
    image_gradient : (N, C, H, W) float
        Gradient of a loss by the image that a full amplitude spectrum A and phase P give: x = Re IFFT(A exp(iP)).
    phase : (N, C, H, K) float

    Returns
    -------
    (N, C, H, K) float64
        The gradient by A at the bins of the half spectrum; that at a bin's mirror image is equal.
    """
    height, width = np.shape(image_gradient)[2:]
    check_shape("phase", phase, *np.shape(image_gradient)[:2], height, width // 2 + 1)
    turned = np.exp(-1j * np.asarray(phase, np.float64)) * half_spectrum(image_gradient)
    return turned.real / (height * width)


def amplitude_step(amplitude: Images, gradient: Images, sensitivity: NDArray[np.floating], step_size: float) -> Floats:
    """Return max(0, A (1 + step_size sign(gradient) S)): one ascent step on amplitudes (Zhang et al. 2023, eq. 7).

    Parameters
    ----------
    amplitude, gradient : (N, C, H, K) float
    sensitivity : (H, K) float
        S, shared by the batch, in FFT layout and used as given: a caller that wants 1 + map adds the 1.
    step_size : float
    """
    check_shape("gradient", gradient, *np.shape(amplitude))
    check_shape("sensitivity", sensitivity, *np.shape(amplitude)[2:])
    factors = 1 + step_size * np.sign(np.asarray(gradient, np.float64)) * np.asarray(sensitivity, np.float64)
    return np.maximum(0, np.asarray(amplitude, np.float64) * factors)


def fourier_basis(height: int, width: int, i: int, j: int) -> Floats:
    """Return the real image of unit l2 norm that has only frequency (i, j) and its mirror image.

    Parameters
    ----------
    height, width : int, at least 1
    i, j : int
        Row and column of the frequency in FFT layout, 0 <= i < height, 0 <= j < width.

    Returns
    -------
    (H, W) float64, the cosine of that frequency; a caller chooses the sign

    Raises
    ------
    ValueError
        If (i, j) is no frequency of such an image.

    Notes
    -----
    U_ij of Zhang et al. 2023, eq. 2, after Yin et al. 2019, "A Fourier perspective on model robustness".
    """
    check_frequency(height, width, i, j)
    spike = np.zeros((height, width))
    spike[i, j] = 1
    image = np.fft.ifft2(spike).real
    return image / np.sqrt(np.sum(image**2))


def check_frequency(height: int, width: int, i: int, j: int) -> None:
    """Raise ValueError unless (i, j) is a frequency of an image of this size."""
    if not (0 <= i < height and 0 <= j < width):
        raise ValueError(f"frequency ({i}, {j}): a {height} x {width} image has (0..{height - 1}, 0..{width - 1})")


def half_spectrum(images: Images) -> Spectra:
    """Return the unnormalised FFT at the frequencies that are not another's mirror image: (N, C, H, W//2 + 1)."""
    check_images(images)
    return np.fft.fft2(np.asarray(images, np.float64))[..., : images.shape[3] // 2 + 1]


def from_half_spectrum(spectra: NDArray[np.complexfloating], width: int) -> Floats:
    """Return the images of half spectra, (N, C, H, K) -> (N, C, H, width), not clipped.

    What the mirror images of a bin in the first column (and, for an even width, in the last) disagree about does not
    count, as in the real part of the inverse of a full spectrum.
    """
    check_width(spectra, width)
    full = np.zeros((*spectra.shape[:3], width), np.complex128)
    full[..., : spectra.shape[3]] = spectra
    inner = np.arange(1, (width + 1) // 2)  # their mirror images are not in the half spectrum
    rows = -np.arange(spectra.shape[2]) % spectra.shape[2]
    full[..., width - inner] = np.conj(spectra[:, :, rows][..., inner])
    return np.fft.ifft2(full).real


def scale_spectrum(spectra: NDArray[np.complexfloating], factors: NDArray[np.floating]) -> Spectra:
    """Return F max(0, factors): amplitudes are scaled, phases are kept; both (N, C, H, K)."""
    check_shape("factors", factors, *spectra.shape)
    return np.asarray(spectra, np.complex128) * np.maximum(0, np.asarray(factors, np.float64))


def ascend_spectrum(
    spectra: NDArray[np.complexfloating],
    image_gradient: Images,
    sensitivity: NDArray[np.floating],
    step_size: float,
) -> Spectra:
    """Return spectra whose amplitudes took an `amplitude_step` up the gradient; no angle is taken.

    Parameters
    ----------
    spectra : (N, C, H, K) complex
    image_gradient : (N, C, H, W) float
    sensitivity : (H, K) float
    step_size : float

    Notes
    -----
    dl/dA has the sign of Re(conj(F) FFT(dl/dx)), since A > 0 wherever it matters.
    """
    check_shape("sensitivity", sensitivity, *spectra.shape[2:])
    agreement = np.sign((np.conj(spectra) * half_spectrum(image_gradient)).real)
    return scale_spectrum(spectra, 1 + step_size * agreement * np.asarray(sensitivity, np.float64))


def symmetric_noise(words: Words, limit: float) -> Floats:
    """Return (U + mirror(U)) / 2 on the half spectrum, U uniform in (-limit, limit) on the full grid.

    Parameters
    ----------
    words : (N, C, H, W) uint32
        One for each bin of the full grid: U = limit (2 (word + 1/2) / 2^32 - 1).
    limit : float

    Returns
    -------
    (N, C, H, W//2 + 1) float64

    Notes
    -----
    The real part of the inverse FFT of an asymmetric amplitude spectrum is the inverse of its symmetric part, so this
    is what the full grid's draw does to an image; independent draws on the half grid would be sqrt(2) too large.
    """
    check_grid_words("words", words)
    height, width = words.shape[2:]
    uniform = limit * (2 * ((words.astype(np.float64) + 0.5) / 2**32) - 1)
    rows, columns = -np.arange(height) % height, -np.arange(width) % width
    return ((uniform + uniform[:, :, rows][..., columns]) / 2)[..., : width // 2 + 1]


def symmetric_signs(words: Words, width: int) -> Floats:
    """Return +1 or -1 for each bin of a half spectrum, equal for a bin and its mirror image.

    Parameters
    ----------
    words : (N, C, H, W//2 + 1) uint32
        -1 where the highest bit is set. Of two bins of one column that mirror each other the upper row decides.
    width : int
    """
    check_grid_words("words", words)
    check_width(words, width)
    signs = np.where(words >> np.uint32(31) == 1, -1.0, 1.0)
    height = words.shape[2]
    u = np.arange(height)
    for v in {0, width // 2} if width % 2 == 0 else {0}:
        signs[:, :, :, v] = signs[:, :, np.minimum(u, (height - u) % height), v]
    return signs

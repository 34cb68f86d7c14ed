"""Frequency filters in float64, each spelled as its paper states it: full complex spectrum, zero frequency centred.

Layouts: images (N, C, H, W); spectra (N, C, H, W), zero frequency at (H//2, W//2) where the name says centred.
"""

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from passband.kernels.checks import check_images
from passband.kernels.contract import documented
from passband.kernels.family_checks import PHASE_FLOOR, check_choice, check_count

Images = NDArray[np.floating]
Result = NDArray[np.float64]


def radius(height: int, width: int) -> NDArray[np.float64]:
    """Return the distance of every bin of a centred spectrum to zero frequency: (H, W), in frequency bins."""
    u = np.arange(height)[:, None] - height // 2
    v = np.arange(width)[None, :] - width // 2
    return np.sqrt(u * u + v * v)


@documented
def radial_filter(images: Images, low: float, high: float) -> Result:
    x = _float64(images)
    d = radius(*x.shape[2:])
    centered = np.fft.fftshift(np.fft.fft2(x), axes=(2, 3))
    kept = np.where((low <= d) & (d < high), centered, 0)
    return np.fft.ifft2(np.fft.ifftshift(kept, axes=(2, 3))).real


@documented
def dct_filter(images: Images, size: int, keep: str) -> Result:
    x = _float64(images)
    height, width = x.shape[2:]
    check_choice("keep", keep, ("low", "high"))
    check_count("size", size, min(height, width))
    coefficients = scipy.fft.dctn(x, axes=(2, 3), norm="ortho")
    mask = np.zeros((height, width))
    if keep == "low":
        mask[:size, :size] = 1
    else:
        mask[height - size :, width - size :] = 1
    return scipy.fft.idctn(coefficients * mask, axes=(2, 3), norm="ortho")


@documented
def dct_flip(images: Images) -> Result:
    coefficients = scipy.fft.dctn(_float64(images), axes=(2, 3), norm="ortho")
    return scipy.fft.idctn(coefficients[:, :, ::-1, ::-1], axes=(2, 3), norm="ortho")


@documented
def svd_filter(images: Images, rank: int, keep: str) -> Result:
    x = _float64(images)
    check_choice("keep", keep, ("leading", "trailing"))
    check_count("rank", rank, min(x.shape[2:]))
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    part = slice(None, rank) if keep == "leading" else slice(rank, None)
    return (u[..., :, part] * s[..., None, part]) @ vt[..., part, :]


@documented
def phase_only(images: Images) -> Result:
    x = _float64(images)
    spectrum = np.fft.fft2(x)
    amplitude = np.abs(spectrum)
    floor = PHASE_FLOOR * amplitude.max(axis=(2, 3), keepdims=True)
    phase = np.where(amplitude > floor, np.angle(spectrum), 0)
    return np.fft.ifft2(amplitude.mean(axis=(2, 3), keepdims=True) * np.exp(1j * phase)).real


def _float64(images: Images) -> Result:
    check_images(images)
    return images.astype(np.float64)

"""Frequency filters in float64, each spelled as its paper states it: full complex spectrum, zero frequency centred.

Layouts: images (N, C, H, W); spectra (N, C, H, W), zero frequency at (H//2, W//2) where the name says centred.
"""

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from passband.kernels.checks import check_images

Images = NDArray[np.floating]
Result = NDArray[np.float64]

PHASE_FLOOR = 2.0**-22
"""A bin below this share of its channel's largest amplitude has no phase in float32: rounding reaches 1/4 of it."""


def radius(height: int, width: int) -> NDArray[np.float64]:
    """Return the distance of every bin of a centred spectrum to zero frequency: (H, W), in frequency bins."""
    u = np.arange(height)[:, None] - height // 2
    v = np.arange(width)[None, :] - width // 2
    return np.sqrt(u * u + v * v)


def radial_filter(images: Images, low: float, high: float) -> Result:
    """Keep the spatial frequencies at distance low <= d < high from zero frequency.

    Parameters
    ----------
    images : (N, C, H, W) float
    low, high : float, frequency bins; ``high=inf`` for a high-pass

    Returns
    -------
    (N, C, H, W) float64, not clipped: a hard mask rings.

    Notes
    -----
    The disc is centred on zero frequency for odd sizes too (the HFC code's is not). Wang et al. 2020, "High-frequency
    component helps explain the generalization of convolutional neural networks", section 3.1.
    """
    x = _float64(images)
    d = radius(*x.shape[2:])
    centered = np.fft.fftshift(np.fft.fft2(x), axes=(2, 3))
    kept = np.where((low <= d) & (d < high), centered, 0)
    return np.fft.ifft2(np.fft.ifftshift(kept, axes=(2, 3))).real


def dct_filter(images: Images, size: int, keep: str) -> Result:
    """Keep one corner of the orthonormal DCT-II: the `size` x `size` lowest or highest coefficients.

    Parameters
    ----------
    images : (N, C, H, W) float
    size : int, 1..min(H, W)
    keep : "low" (top left) or "high" (bottom right)

    Returns
    -------
    (N, C, H, W) float64, not clipped

    Raises
    ------
    ValueError
        If `keep` or `size` is none of these.

    Notes
    -----
    The two are complements only in a sense: coefficients low in one direction and high in the other are in neither.
    Modas 2022, EPFL thesis, sections 4.3.2 and 4.3.3.
    """
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


def dct_flip(images: Images) -> Result:
    """Flip the DCT-II of each channel in both directions: low frequencies become high ones. An involution.

    Parameters
    ----------
    images : (N, C, H, W) float

    Returns
    -------
    (N, C, H, W) float64, not clipped

    Notes
    -----
    Modas 2022, EPFL thesis, section 4.3.1.
    """
    coefficients = scipy.fft.dctn(_float64(images), axes=(2, 3), norm="ortho")
    return scipy.fft.idctn(coefficients[:, :, ::-1, ::-1], axes=(2, 3), norm="ortho")


def svd_filter(images: Images, rank: int, keep: str) -> Result:
    """Keep the `rank` leading singular components of each channel, or the remaining ones.

    Parameters
    ----------
    images : (N, C, H, W) float
    rank : int, 1..min(H, W)
    keep : "leading" or "trailing"

    Returns
    -------
    (N, C, H, W) float64, not clipped

    Raises
    ------
    ValueError
        If `keep` or `rank` is none of these.

    Notes
    -----
    Where singular values number `rank` and `rank` + 1 are equal the split is not unique. Wang et al. 2020, section 8.
    """
    x = _float64(images)
    check_choice("keep", keep, ("leading", "trailing"))
    check_count("rank", rank, min(x.shape[2:]))
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    part = slice(None, rank) if keep == "leading" else slice(rank, None)
    return (u[..., :, part] * s[..., None, part]) @ vt[..., part, :]


def phase_only(images: Images) -> Result:
    """Keep the phase of each channel's spectrum and replace its amplitude by the mean amplitude.

    Parameters
    ----------
    images : (N, C, H, W) float

    Returns
    -------
    (N, C, H, W) float64, not clipped

    Notes
    -----
    The mean is over all H * W bins of one channel of one image. A bin below `PHASE_FLOOR` counts as real and
    positive: its phase would be rounding noise, and full amplitude would make that visible. After the released code
    of Zhang et al. 2023, "When neural networks fail to generalize?".
    """
    x = _float64(images)
    spectrum = np.fft.fft2(x)
    amplitude = np.abs(spectrum)
    floor = PHASE_FLOOR * amplitude.max(axis=(2, 3), keepdims=True)
    phase = np.where(amplitude > floor, np.angle(spectrum), 0)
    return np.fft.ifft2(amplitude.mean(axis=(2, 3), keepdims=True) * np.exp(1j * phase)).real


def check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise ValueError unless `value` is one of `allowed`."""
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}; allowed: {', '.join(allowed)}")


def check_count(name: str, value: int, most: int) -> None:
    """Raise ValueError unless 1 <= `value` <= `most`."""
    if not 1 <= value <= most:
        raise ValueError(f"{name} is {value}; allowed: 1 to {most} for images of this size")


def _float64(images: Images) -> Result:
    check_images(images)
    return images.astype(np.float64)

"""Noise of the common corruptions in float64: Gaussian, shot and impulse noise from drawn normals or words.

Hendrycks & Dietterich 2019, "Benchmarking neural network robustness to common corruptions and perturbations".
"""

import numpy as np
import scipy.special
from numpy.typing import NDArray

from passband.kernels.checks import check_images, check_shape

Images = NDArray[np.floating]
Result = NDArray[np.float64]
Words = NDArray[np.uint32]


def gaussian_noise(images: Images, scale: float, normals: NDArray[np.floating]) -> Result:
    """Return x + scale z.

    Parameters
    ----------
    images, normals : (N, C, H, W) float
    scale : float

    Returns
    -------
    (N, C, H, W) float64, not clipped
    """
    check_images(images)
    check_shape("normals", normals, *images.shape)
    return images.astype(np.float64) + scale * normals


def shot_noise(images: Images, rate: float, words: Words) -> Result:
    """Return k / rate, k Poisson of mean rate x: the least k with CDF(k) >= (word + 1/2) / 2^32.

    Parameters
    ----------
    images : (N, C, H, W) float
        Taken to the nearest of the 256 levels of [0, 1], as the images of the published code are.
    rate : float, above 0
        Mean count where x = 1.
    words : (N, C, H, W) uint32

    Returns
    -------
    (N, C, H, W) float64, not clipped
    """
    check_images(images)
    check_shape("words", words, *images.shape)
    mean = np.rint(np.clip(images.astype(np.float64), 0, 1) * 255) * rate / 255
    uniform = (words + 0.5) / 2.0**32
    count = np.ceil(scipy.special.pdtrik(uniform, np.maximum(mean, 1e-300)).clip(0))
    less = np.maximum(count - 1, 0)  # the inverse may be rounded up to the next count
    return np.where(mean == 0, 0, np.where(scipy.special.pdtr(less, mean) >= uniform, less, count)) / rate


def impulse_noise(images: Images, amount: float, words: Words) -> Result:
    """Replace a share of the values by 1 or 0: a word below amount 2^32 strikes, below half of that it is salt.

    Parameters
    ----------
    images : (N, C, H, W) float
    amount : float in [0, 1]
    words : (N, C, H, W) uint32

    Returns
    -------
    (N, C, H, W) float64
    """
    check_images(images)
    check_shape("words", words, *images.shape)
    threshold = round(amount * 2**32)
    replaced = np.where(2 * words.astype(np.int64) < threshold, 1.0, 0.0)
    return np.where(words.astype(np.int64) < threshold, replaced, images)

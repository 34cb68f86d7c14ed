"""Noise of the common corruptions in float64: Gaussian, shot and impulse noise from drawn normals or words.

Hendrycks & Dietterich 2019, "Benchmarking neural network robustness to common corruptions and perturbations".
"""

import numpy as np
import scipy.special
from numpy.typing import NDArray

from passband.kernels.checks import check_images, check_shape
from passband.kernels.contract import documented

Images = NDArray[np.floating]
Result = NDArray[np.float64]
Words = NDArray[np.uint32]


@documented
def gaussian_noise(images: Images, scale: float, normals: NDArray[np.floating]) -> Result:
    check_images(images)
    check_shape("normals", normals, *images.shape)
    return images.astype(np.float64) + scale * normals


@documented
def shot_noise(images: Images, rate: float, words: Words) -> Result:
    check_images(images)
    check_shape("words", words, *images.shape)
    mean = np.rint(np.clip(images.astype(np.float64), 0, 1) * 255) * rate / 255
    uniform = (words + 0.5) / 2.0**32
    count = np.ceil(scipy.special.pdtrik(uniform, np.maximum(mean, 1e-300)).clip(0))
    less = np.maximum(count - 1, 0)  # the inverse may be rounded up to the next count
    return np.where(mean == 0, 0, np.where(scipy.special.pdtr(less, mean) >= uniform, less, count)) / rate


@documented
def impulse_noise(images: Images, amount: float, words: Words) -> Result:
    check_images(images)
    check_shape("words", words, *images.shape)
    threshold = round(amount * 2**32)
    replaced = np.where(2 * words.astype(np.int64) < threshold, 1.0, 0.0)
    return np.where(words.astype(np.int64) < threshold, replaced, images)

"""Digital faults of the common corruptions in float64: contrast, pixels, and the parts of the elastic transform.

Hendrycks & Dietterich 2019, "Benchmarking neural network robustness to common corruptions and perturbations".
"""

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from passband.kernels.checks import check_images, check_shape
from passband.kernels.contract import documented
from passband.kernels.family_checks import check_choice, check_count, check_symmetric

Images = NDArray[np.floating]
Result = NDArray[np.float64]


@documented
def scale_contrast(images: Images, factor: float) -> Result:
    check_images(images)
    x = images.astype(np.float64)
    mean = x.mean(axis=(2, 3), keepdims=True)
    return mean + factor * (x - mean)


@documented
def pixelate(images: Images, height: int, width: int) -> Result:
    check_images(images)
    check_count("height", height, images.shape[2])
    check_count("width", width, images.shape[3])
    rows, columns = _block_means(images.shape[2], height), _block_means(images.shape[3], width)
    return rows @ images.astype(np.float64) @ columns.T


def _block_means(size: int, count: int) -> Result:
    """Return (size, size): what each pixel takes from each, the mean of a block of pixels.

    A pixel is enlarged from the block at its center, k size / count <= center < (k + 1) size / count. That block is of
    the pixels that Pillow takes into it, k size / count < center <= (k + 1) size / count. All by whole numbers.
    """
    centers = [(2 * pixel + 1) * count for pixel in range(size)]  # in parts of which a block has 2 size
    means = np.zeros((size, size))
    for pixel, center in enumerate(centers):
        first = center - center % (2 * size)
        block = [other for other, place in enumerate(centers) if first < place <= first + 2 * size]
        means[pixel, block] = 1 / len(block)
    return means


@documented
def separable_blur(images: Images, weights: NDArray[np.floating]) -> Result:
    check_images(images)
    w = check_symmetric(weights)
    rows = scipy.ndimage.correlate1d(images.astype(np.float64), w, axis=2, mode="reflect")
    return scipy.ndimage.correlate1d(rows, w, axis=3, mode="reflect")


@documented
def warp_reflected(images: Images, displacement: NDArray[np.floating], border: str) -> Result:
    check_images(images)
    check_choice("border", border, ("reflect", "mirror"))
    count, channels, height, width = images.shape
    check_shape("displacement", displacement, count, 2, height, width)
    result = np.empty(images.shape)
    for n in range(count):
        at = np.indices((height, width)) - displacement[n].astype(np.float64)
        for c in range(channels):
            scipy.ndimage.map_coordinates(images[n, c].astype(np.float64), at, result[n, c], order=1, mode=border)
    return result

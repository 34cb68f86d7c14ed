"""Digital faults of the common corruptions in float32."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from passband.kernels.blocks import block_edges, nearest_block
from passband.kernels.contract import documented
from passband.kernels.cuda.arrays import Array, as_images, empty
from passband.kernels.cuda.device import current, int32, launch
from passband.kernels.cuda.matrix import multiply
from passband.kernels.family_checks import check_count, check_symmetric

_THREADS = 256


@documented
def scale_contrast(images: Any, factor: float) -> Array:
    images = as_images(images)
    planes, area = images.shape[0] * images.shape[1], images.shape[2] * images.shape[3]
    out = empty(images.shape)
    if planes:
        scale = current().kernel("digital.cu", "scale_contrast")
        scale((planes,), (_THREADS,), (images, np.float32(factor), *int32(area), out), shared_mem=8 * _THREADS)
    return out


@documented
def pixelate(images: Any, height: int, width: int) -> Array:
    images = as_images(images)
    sizes, counts = images.shape[2:], (height, width)
    for name, size, number in zip(("height", "width"), sizes, counts, strict=True):
        check_count(name, number, size)
    edges, nearest = ([_places(part) for part in map(of, sizes, counts)] for of in (block_edges, nearest_block))
    means, out = empty((*images.shape[:2], height, width)), empty(images.shape)
    both = int32(*sizes, *counts)
    launch("digital.cu", "block_means", means.size, (images, *edges, *both, np.int64(means.size), means))
    launch("digital.cu", "spread_means", out.size, (means, *nearest, *both, np.int64(out.size), out))
    return out


@documented
def separable_blur(images: Any, weights: Any) -> Array:
    """Two matrix products in float64, whatever R.

    The elastic transform multiplies a faint result by hundreds of pixels.
    """
    images, device = as_images(images), current()
    given = check_symmetric(device.asnumpy(weights))
    rows, columns = (_blur_matrix(size, given) for size in images.shape[2:])
    return multiply(multiply(rows, images.astype(np.float64)), columns.T).astype(np.float32)


def _blur_matrix(size: int, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (size, size): what each pixel of a line takes from each, borders reflected."""
    reach = len(weights) // 2
    places = (np.arange(size)[:, None] + np.arange(-reach, reach + 1)) % (2 * size)
    places = np.minimum(places, 2 * size - 1 - places)
    matrix = np.zeros((size, size))
    np.add.at(matrix, (np.arange(size)[:, None], places), np.broadcast_to(weights, places.shape))
    return matrix


def _places(places: NDArray[np.integer]) -> Array:
    return current().asarray(places.astype(np.int32))

"""Random spectral filters: one small cross-correlation a sample, tiles in shared memory."""

from typing import Any

import numpy as np

from passband.kernels.checks import check_shape
from passband.kernels.contract import documented
from passband.kernels.cuda.arrays import Array, as_images, contiguous, empty
from passband.kernels.cuda.device import current, int32

TILE_X, TILE_Y, BAND = 32, 8, 8
"""As in ``stencil.cu``."""


@documented
def random_filter(images: Any, weights: Any) -> Array:
    x = as_images(images)
    check_shape("weights", weights, len(x), None, None)
    size = int(np.shape(weights)[2])
    check_shape("weights", weights, len(x), size, size)
    if size < 1:
        raise ValueError("weights: needs at least one tap")
    out = empty(x.shape)
    filter_rows(out, x, current().xp.arange(len(x), dtype=np.int32), contiguous(weights, np.float32))
    return out


def filter_rows(target: Array, source: Array, rows: Array, weights: Array) -> None:
    """Filter some samples of `source` into the same places of `target`.

    Parameters
    ----------
    target, source : (N, C, H, W) float32
    rows : (G,) int32, which samples
    weights : (G, K, K) float32
    """
    _, channels, height, width = source.shape
    size = weights.shape[2]
    blocks = len(rows) * channels * (-(-height // TILE_Y)) * (-(-width // TILE_X))
    if blocks:
        shared = 4 * (TILE_Y + min(size, BAND) - 1) * (TILE_X + size - 1)
        kernel = current().kernel("stencil.cu", "random_filter", shared_bytes=shared)
        arguments = source, rows, weights, *int32(channels, height, width, size), target
        kernel((blocks,), (TILE_X * TILE_Y,), arguments, shared_mem=shared)

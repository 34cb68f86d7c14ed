"""Memory of one thread that makes PRIME views: made once, used for image after image."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from passband.kernels.cpu.color import BLOCK, LEVELS
from passband.kernels.cpu.sine import ROWS, FieldScratch, field_scratch
from passband.kernels.cpu.warp import WarpScratch, is_large, warp_scratch

NOISE_BLOCKS = 512
"""Blocks of normals that are drawn at once for noise."""


class Scratch(NamedTuple):
    """Memory of one thread.

    Attributes
    ----------
    words, normals : (4, blocks) uint32 and float32
    steps : (2, C, H * W) float32
        The image before and after a step, in turns.
    deviations, numbers : (2, W - 2) and (W - 2,) float32
        Standard deviations of two rows of modes; 1, 2, ...
    size : H, W
    displacement : (2, H, W) float32
        Of large images (2, 2 ROWS, W): as many rows as are made at once, from above and from below.
    field, corners
        Of `make_field` and `warp_image`.
    columns : as ``field.rows``, for the second axis of large images
    weights, padded : (K, K) and (H + K - 1, W + K - 1) float32
        Of large images `padded` has K rows.
    coefficients, state, table : (terms,), (3, BLOCK) and (2, LEVELS) float32
    levels : (C, H * W) uint8
    """

    words: NDArray[np.uint32]
    normals: NDArray[np.float32]
    steps: NDArray[np.float32]
    deviations: NDArray[np.float32]
    numbers: NDArray[np.float32]
    size: tuple[int, int]
    displacement: NDArray[np.float32]
    field: FieldScratch
    columns: NDArray[np.float32]
    corners: WarpScratch
    weights: NDArray[np.float32]
    padded: NDArray[np.float32]
    coefficients: NDArray[np.float32]
    state: NDArray[np.float32]
    table: NDArray[np.float32]
    levels: NDArray[np.uint8]


def make_scratch(channels: int, height: int, width: int, size: int, last_frequency: int) -> Scratch:
    """Return zeroed `Scratch` for (C, H, W) images, K x K filters and colour frequencies up to `last_frequency`."""
    modes_y, modes_x = max(height - 2, 1), max(width - 2, 1)
    blocks = max(NOISE_BLOCKS, modes_x, channels * (last_frequency // 4 + 2), size * size // 4 + 1)
    blocks = (blocks + 7) // 8 * 8
    field, large = field_scratch(modes_y, modes_x, width), is_large(height, width)
    return Scratch(
        np.zeros((4, blocks), np.uint32),
        np.zeros((4, blocks), np.float32),
        np.zeros((2, channels, height * width), np.float32),
        np.zeros((2, modes_x), np.float32),
        np.arange(1, modes_x + 1, dtype=np.float32),
        (height, width),
        np.zeros((2, 2 * ROWS if large else height, width), np.float32),
        field,
        np.zeros(field.rows.shape if large else (1, 1), np.float32),
        warp_scratch(height, width),
        np.zeros((size, size), np.float32),
        np.zeros((size if large else height + size - 1, width + size - 1), np.float32),
        np.zeros(last_frequency + 2, np.float32),
        np.zeros((3, BLOCK), np.float32),
        np.zeros((2, LEVELS), np.float32),
        np.zeros((channels, height * width), np.uint8),
    )

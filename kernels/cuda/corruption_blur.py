"""Blurs of the common corruptions: weighted taps, resampling, shuffled pixels; each a gather."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from passband.kernels.borders import border_index
from passband.kernels.checks import check_near, check_positions, check_taps
from passband.kernels.contract import documented
from passband.kernels.cuda.arrays import Array, as_images, contiguous, empty
from passband.kernels.cuda.device import int32, launch

TOGETHER = 4
"""As in ``blur.cu``."""


@documented
def tap_filter(images: Any, offsets: NDArray[np.integer], weights: ArrayLike, border: str) -> Array:
    """Offsets are of the host."""
    x = as_images(images)
    taps = check_taps(offsets, weights, border, len(x))
    before = np.maximum(0, -taps.min(axis=(0, 1), initial=0))
    after = np.maximum(0, taps.max(axis=(0, 1), initial=0))
    index = [
        contiguous(border_index(size, int(b), int(a), border), np.int32)
        for size, b, a in zip(x.shape[2:], before, after, strict=True)
    ]
    out = empty(x.shape)
    _, channels, height, width = x.shape
    threads = len(x) * (-(-channels // TOGETHER)) * height * width
    sizes = int32(*before, len(taps) > 1, taps.shape[1], channels, height, width)
    given = contiguous(taps, np.int32), contiguous(weights, np.float32)
    launch("blur.cu", "tap_filter", threads, (x, *given, *index, *sizes, np.int64(threads), out))
    return out


@documented
def resample(images: Any, rows: ArrayLike, columns: ArrayLike) -> Array:
    x = as_images(images)
    y, z = check_positions(rows, columns)
    out = empty((*x.shape[:2], y.shape[1], z.shape[1]))
    grid = *_corners(y, x.shape[2]), *_corners(z, x.shape[3])
    sizes = int32(len(y), *x.shape[2:], *out.shape[2:])
    launch("blur.cu", "resample", out.size, (x, *grid, *sizes, np.int64(out.size), out))
    return out


def _corners(positions: NDArray[np.float64], size: int) -> tuple[Array, Array]:
    """Return the pixel before each position and the way from it, (Z, L)."""
    clamped = np.clip(positions, 0, size - 1)
    first = np.floor(clamped)
    return contiguous(first, np.int32), contiguous(clamped - first, np.float32)


@documented
def shuffle_pixels(images: Any, words: Any, reach: int) -> Array:
    """All pixels of a round are made at once: each finds where the value came from that it would get in turn."""
    x, drawn = as_images(images), contiguous(words)
    check_near(words, reach, x)
    _, channels, height, width = x.shape
    threads, rounds = len(x) * height * width, drawn.shape[1]
    source = x.copy() if rounds == 0 else x
    for number in range(rounds):
        out = empty(x.shape)
        sizes = *int32(number, rounds, reach, channels, height, width), np.int64(threads)
        launch("blur.cu", "shuffle_pixels", threads, (source, drawn, *sizes, out))
        source = out
    return source

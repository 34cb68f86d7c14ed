"""Blurs of the common corruptions in float64: weighted taps, resampling, shuffled pixels.

Hendrycks & Dietterich 2019, "Benchmarking neural network robustness to common corruptions and perturbations".
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from passband.kernels.checks import check_images, check_near, check_positions, check_taps
from passband.kernels.contract import documented

Images = NDArray[np.floating]
Result = NDArray[np.float64]

PAD_MODES = {"nearest": "edge", "mirror": "reflect", "reflect": "symmetric"}
"""What np.pad calls the borders of scipy.ndimage."""


@documented
def tap_filter(images: Images, offsets: NDArray[np.integer], weights: ArrayLike, border: str) -> Result:
    check_images(images)
    taps, w = check_taps(offsets, weights, border, len(images)), np.asarray(weights, np.float64)
    height, width = images.shape[2:]
    reach = int(np.abs(taps).max(initial=0))
    padded = np.pad(images.astype(np.float64), ((0, 0), (0, 0), (reach, reach), (reach, reach)), mode=PAD_MODES[border])  # type: ignore[call-overload]
    total = np.zeros(images.shape)
    for n in range(len(images)):
        for (dy, dx), weight in zip(taps[n % len(taps)] + reach, w, strict=True):
            total[n] += weight * padded[n, :, dy : dy + height, dx : dx + width]
    return total


@documented
def resample(images: Images, rows: ArrayLike, columns: ArrayLike) -> Result:
    check_images(images)
    y, x = check_positions(rows, columns)
    sampled = [
        np.einsum("yh,nchw,xw->ncyx", _tents(v, images.shape[2]), images.astype(np.float64), _tents(u, images.shape[3]))
        for v, u in zip(y, x, strict=True)
    ]
    return np.mean(sampled, axis=0)


def _tents(positions: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Return the weight of each of `size` pixels at each position: 1 at the pixel, falling to 0 at its neighbours."""
    return np.maximum(0, 1 - np.abs(np.clip(positions, 0, size - 1)[:, None] - np.arange(size)))


@documented
def shuffle_pixels(images: Images, words: NDArray[np.uint32], reach: int) -> Result:
    check_images(images)
    check_near(words, reach, images)
    out, every = images.astype(np.float64), np.arange(len(images))
    halves = np.stack([words >> np.uint32(16), words & np.uint32(0xFFFF)]).astype(np.int64)
    dy, dx = halves * 2 * reach // 2**16 - reach
    height, width = images.shape[2:]
    for r in range(words.shape[1]):
        for y in range(height - reach, reach, -1):
            for x in range(width - reach, reach, -1):
                out[:, :, y, x] = out[every, :, y + dy[:, r, y, x], x + dx[:, r, y, x]]
    return out

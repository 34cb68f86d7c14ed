"""Blurs of the common corruptions in float64: weighted taps, resampling, shuffled pixels.

Hendrycks & Dietterich 2019, "Benchmarking neural network robustness to common corruptions and perturbations".
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from passband.kernels.checks import check_images, check_near, check_positions, check_taps

Images = NDArray[np.floating]
Result = NDArray[np.float64]

PAD_MODES = {"nearest": "edge", "mirror": "reflect", "reflect": "symmetric"}
"""What np.pad calls the borders of scipy.ndimage."""


def tap_filter(images: Images, offsets: NDArray[np.integer], weights: ArrayLike, border: str) -> Result:
    """Return sum_k w_k x(r + offset_k).

    Parameters
    ----------
    images : (N, C, H, W) float
    offsets : (N, K, 2) or (1, K, 2) int
        Rows, columns; a sample's own, or the same for all.
    weights : (K,)
    border : "nearest" (aaa|abc|ccc), "mirror" (cb|abc|ba) or "reflect" (ba|abc|cb)

    Returns
    -------
    (N, C, H, W) float64, not clipped
    """
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


def resample(images: Images, rows: ArrayLike, columns: ArrayLike) -> Result:
    """Return the mean over z of the image at (rows[z], columns[z]), bilinear, coordinates clamped to the image.

    Parameters
    ----------
    images : (N, C, H, W) float
    rows : (Z, H'), pixels
    columns : (Z, W'), pixels

    Returns
    -------
    (N, C, H', W') float64
    """
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


def shuffle_pixels(images: Images, words: NDArray[np.uint32], reach: int) -> Result:
    """Give pixels, one after another, the value that a near pixel has at that time.

    Parameters
    ----------
    images : (N, C, H, W) float
    words : (N, R, H, W) uint32
        Say where pixel (y, x) looks in round r: y - reach + u 2 reach // 2^16, u the upper half of the word, and x
        likewise by its lower half.
    reach : int, at least 1

    Returns
    -------
    (N, C, H, W) float64

    Notes
    -----
    Rows H - reach down to reach + 1 and columns W - reach down to reach + 1 take part, in that order, as in the
    published code. What reads as an exchange of two pixels there is a copy: both sides of the assignment are views of
    one array, so the other pixel gets its own value back. The published images have it, and so do we.
    """
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

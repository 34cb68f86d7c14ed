"""Blurs of the common corruptions in float32: weighted taps, resampling, shuffled pixels."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kernels.checks import check_float32, check_near, check_positions, check_taps, writable
from kernels.cpu.arrays import borrowed
from kernels.cpu.compile import fma, kernel
from kernels.cpu.threads import for_ranges

Images = NDArray[np.float32]


def tap_filter(images: Images, offsets: NDArray[np.integer], weights: ArrayLike, border: str) -> Images:
    """Return sum_k w_k x(r + offset_k).

    Parameters
    ----------
    images : (N, C, H, W) float32
    offsets : (N, K, 2) or (1, K, 2) int
        Rows, columns; a sample's own, or the same for all.
    weights : (K,)
    border : "nearest" (aaa|abc|ccc), "mirror" (cb|abc|ba) or "reflect" (ba|abc|cb)

    Returns
    -------
    (N, C, H, W) float32, not clipped
    """
    images = check_float32(images)
    taps, w = check_taps(offsets, weights, border, len(images)), writable(weights)
    before = np.maximum(0, -taps.min(axis=(0, 1), initial=0))
    after = np.maximum(0, taps.max(axis=(0, 1), initial=0))
    rows, columns = (border_index(images.shape[2 + i], before[i], after[i], border) for i in range(2))
    places = writable((taps[..., 0] + before[0]) * len(columns) + taps[..., 1] + before[1], np.int64)
    out = np.empty_like(images)

    def work(start: int, stop: int) -> None:
        padded = np.empty(len(rows) * len(columns), np.float32)
        _tap_range(out, images, places, w, (rows, columns, padded), start, stop)

    for_ranges(work, len(images), 4)
    return out


def border_index(size: int, before: int, after: int, border: str) -> NDArray[np.int64]:
    """Return which of `size` pixels stands at -before .. size + after - 1."""
    i = np.arange(-before, size + after)
    if border == "nearest":
        return np.clip(i, 0, size - 1)
    period = 2 * size if border == "reflect" else max(1, 2 * size - 2)
    i %= period
    return np.where(i < size, i, period - i - (border == "reflect"))


@kernel
def _tap_range(out, images, places, weights, frame, start, stop):
    out, images, places, weights, frame = borrowed((out, images, places, weights, frame))
    rows, columns, padded = frame
    stride = columns.size
    for n in range(start, stop):
        own = places[n % places.shape[0]]
        for c in range(images.shape[1]):
            for y in range(rows.size):
                source, target = images[n, c, rows[y]], padded[y * stride : (y + 1) * stride]
                for x in range(stride):
                    target[x] = source[columns[x]]
            for y in range(images.shape[2]):
                _tap_row(out[n, c, y], padded, own, weights, y * stride)


@kernel
def _tap_row(line, padded, places, weights, start):
    for x in range(line.size):
        line[x] = np.float32(0)
    for k in range(weights.size):
        weight = weights[k]
        source = padded[start + places[k] : start + places[k] + line.size]
        for x in range(line.size):
            line[x] = fma(weight, source[x], line[x])


def resample(images: Images, rows: ArrayLike, columns: ArrayLike) -> Images:
    """Return the mean over z of the image at (rows[z], columns[z]), bilinear, coordinates clamped to the image.

    Parameters
    ----------
    images : (N, C, H, W) float32
    rows : (Z, H'), pixels
    columns : (Z, W'), pixels

    Returns
    -------
    (N, C, H', W') float32
    """
    images = check_float32(images)
    y, x = check_positions(rows, columns)
    grid = (*_corners(y, images.shape[2]), *_corners(x, images.shape[3]))
    out = np.zeros((*images.shape[:2], y.shape[1], x.shape[1]), np.float32)

    def work(start: int, stop: int) -> None:
        _resample_range(out, images, grid, np.empty(images.shape[3], np.float32), start, stop)

    for_ranges(work, len(images), 4)
    return out


def _corners(positions: NDArray[np.float64], size: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the pixel before each position, at most the last but one, and the way from it to the position."""
    clamped = np.clip(positions, 0, size - 1)
    first = np.minimum(np.floor(clamped).astype(np.int64), max(0, size - 2))
    return first, (clamped - first).astype(np.float32)


@kernel
def _resample_range(out, images, grid, line, start, stop):
    out, images, grid, line = borrowed((out, images, grid, line))
    tops, down, lefts, right = grid
    below, beside = min(1, images.shape[2] - 1), min(1, images.shape[3] - 1)
    count = np.float32(tops.shape[0])
    for n in range(start, stop):
        for c in range(images.shape[1]):
            image, result = images[n, c], out[n, c]
            for z in range(tops.shape[0]):
                for y in range(tops.shape[1]):
                    upper, lower, fraction = image[tops[z, y]], image[tops[z, y] + below], down[z, y]
                    for x in range(line.size):
                        line[x] = fma(fraction, lower[x] - upper[x], upper[x])
                    for x in range(lefts.shape[1]):
                        first = line[lefts[z, x]]
                        result[y, x] += fma(right[z, x], line[lefts[z, x] + beside] - first, first)
            for y in range(result.shape[0]):
                for x in range(result.shape[1]):
                    result[y, x] /= count


def shuffle_pixels(images: Images, steps: NDArray[np.integer], reach: int) -> Images:
    """Give pixels, one after another, the value that a near pixel has at that time.

    Parameters
    ----------
    images : (N, C, H, W) float32
    steps : (N, R, 2, H, W) int, in -reach..reach - 1
        Where pixel (y, x) looks in round r: (y + steps[r, 0], x + steps[r, 1]).
    reach : int, at least 1

    Returns
    -------
    (N, C, H, W) float32

    Notes
    -----
    The order, and why pixels are copied and not exchanged: `kernels.reference.shuffle_pixels`.
    """
    images = check_float32(images)
    check_near(steps, reach, images)
    near, out = writable(steps, np.int8), images.copy()
    for_ranges(lambda start, stop: _shuffle_range(out, near, reach, start, stop), len(out), 4)
    return out


@kernel
def _shuffle_range(out, steps, reach, start, stop):
    out, steps = borrowed((out, steps))
    height, width = out.shape[2:]
    for n in range(start, stop):
        image = out[n]
        for r in range(steps.shape[1]):
            for y in range(height - reach, reach, -1):
                for x in range(width - reach, reach, -1):
                    from_y, from_x = y + steps[n, r, 0, y, x], x + steps[n, r, 1, y, x]
                    for c in range(image.shape[0]):
                        image[c, y, x] = image[c, from_y, from_x]

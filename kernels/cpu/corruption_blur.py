"""Blurs of the common corruptions in float32: weighted taps, resampling, shuffled pixels."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from passband.kernels.borders import border_index
from passband.kernels.checks import check_float32, check_near, check_positions, check_taps, writable
from passband.kernels.contract import documented
from passband.kernels.cpu.arrays import borrowed
from passband.kernels.cpu.compile import fma, kernel
from passband.kernels.cpu.threads import for_ranges
from passband.kernels.cpu.vectors import load8, spread8, spread_at, store

Images = NDArray[np.float32]


@documented
def tap_filter(images: Images, offsets: NDArray[np.integer], weights: ArrayLike, border: str) -> Images:
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
    """Sum the taps of a row, sixteen pixels at a time, the last ones once more where the width is no multiple."""
    width = line.size
    if width < 8:
        for x in range(width):
            total = np.float32(0)
            for k in range(weights.size):
                total = fma(weights[k], padded[start + places[k] + x], total)
            line[x] = total
        return
    for x in range(0, width, 16):
        left, right = min(x, width - 8), min(x + 8, width - 8)
        first, second = spread8(np.float32(0)), spread8(np.float32(0))
        for k in range(weights.size):
            weight, place = spread_at(weights, k), start + places[k]
            first = fma(weight, load8(padded, place + left), first)
            second = fma(weight, load8(padded, place + right), second)
        store(line, left, first)
        store(line, right, second)


@documented
def resample(images: Images, rows: ArrayLike, columns: ArrayLike) -> Images:
    images = check_float32(images)
    y, x = check_positions(rows, columns)
    grid = (*_corners(y, images.shape[2]), *_corners(x, images.shape[3]))
    out = np.zeros((*images.shape[:2], y.shape[1], x.shape[1]), np.float32)

    def work(start: int, stop: int) -> None:
        _resample_range(out, images, grid, np.empty(images.shape[3], np.float32), start, stop)

    for_ranges(work, len(images), 4)
    return out


def _corners(positions: NDArray[np.float64], size: int) -> tuple[NDArray[np.uint64], NDArray[np.float32]]:
    """Return the pixels before and after each position, (2, Z, L), and the way from the first to the position.

    Unsigned, so that Numba does not test for negative indices.
    """
    clamped = np.clip(positions, 0, size - 1)
    first = np.floor(clamped).astype(np.int64)
    return np.stack([first, np.minimum(first + 1, size - 1)]).astype(np.uint64), (clamped - first).astype(np.float32)


@kernel
def _resample_range(out, images, grid, line, start, stop):
    out, images, grid, line = borrowed((out, images, grid, line))
    rows, down, columns, right = grid
    count = np.float32(down.shape[0])
    for n in range(start, stop):
        for c in range(images.shape[1]):
            image, result = images[n, c], out[n, c]
            for z in range(down.shape[0]):
                lefts, rights, across = columns[0, z], columns[1, z], right[z]
                for y in range(down.shape[1]):
                    upper, lower, fraction = image[rows[0, z, y]], image[rows[1, z, y]], down[z, y]
                    for x in range(line.size):
                        line[x] = fma(fraction, lower[x] - upper[x], upper[x])
                    target = result[y]
                    for x in range(lefts.size):
                        first = line[lefts[x]]
                        target[x] += fma(across[x], line[rights[x]] - first, first)
            for y in range(result.shape[0]):
                for x in range(result.shape[1]):
                    result[y, x] /= count


@documented
def shuffle_pixels(images: Images, words: NDArray[np.uint32], reach: int) -> Images:
    images = check_float32(images)
    check_near(words, reach, images)
    drawn, out = writable(words, np.uint32), images.copy()
    for_ranges(lambda start, stop: _shuffle_range(out, drawn, reach, start, stop), len(out), 4)
    return out


@kernel
def _shuffle_range(out, words, reach, start, stop):
    out, words = borrowed((out, words))
    height, width = out.shape[2:]
    for n in range(start, stop):
        image = out[n]
        for r in range(words.shape[1]):
            for y in range(height - reach, reach, -1):
                for x in range(width - reach, reach, -1):
                    word = np.int64(words[n, r, y, x])
                    from_y = y - reach + ((word >> 16) * 2 * reach >> 16)
                    from_x = x - reach + ((word & 0xFFFF) * 2 * reach >> 16)
                    for c in range(image.shape[0]):
                        image[c, y, x] = image[c, from_y, from_x]

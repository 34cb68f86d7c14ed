"""Random spectral filters: one small cross-correlation a sample."""

import numpy as np
from numpy.typing import NDArray

from passband.kernels.checks import check_float32, check_shape, writable
from passband.kernels.contract import documented
from passband.kernels.cpu.arrays import borrowed, flat
from passband.kernels.cpu.color import clip_unit
from passband.kernels.cpu.compile import fma, kernel
from passband.kernels.cpu.threads import for_ranges
from passband.kernels.cpu.vectors import clip8, load8, spread8, store


@kernel
def filter_channel(out, x, weights, padded):
    """Write clip(x cross-correlated with `weights`, (K, K)) to `out`; x and out are flat, (H * W,).

    `padded`, (H + K - 1, W + K - 1), holds zeros around its middle, which is overwritten: no test a tap.
    """
    size = weights.shape[0]
    before = size // 2
    height, width = padded.shape[0] - size + 1, padded.shape[1] - size + 1
    inner = flat(padded)
    for y in range(height):
        source, target = y * width, (y + before) * padded.shape[1] + before
        if width >= 8:
            for i in range(0, width, 8):
                at = min(i, width - 8)
                store(inner, target + at, load8(x, source + at))
        else:
            for i in range(width):
                inner[target + i] = x[source + i]
    if size == 3 and width >= 8:
        _filter3(out, padded, weights)
        return
    for y in range(height):
        _filter_row(out[y * width : (y + 1) * width], padded[y : y + size], weights)


@kernel
def filter_plane(out, x, height, weights, rows):
    """Do as `filter_channel` for a large image: only the rows that a row is made of, (K, W + K - 1), are padded."""
    size, width = weights.shape[0], rows.shape[1] - weights.shape[0] + 1
    before = size // 2
    rows[:, :] = np.float32(0)
    for y in range(height):
        for v in range(size):
            source = y - before + v
            if 0 <= source < height:
                rows[v, before : before + width] = x[source * width : (source + 1) * width]
            else:
                rows[v, :] = np.float32(0)
        _filter_row(out[y * width : (y + 1) * width], rows, weights)


@kernel
def _filter3(out, padded, w):
    """Filter with 3 x 3 taps, eight pixels at a time, the last eight once more where the width is no multiple."""
    height, stride = padded.shape[0] - 2, padded.shape[1]
    width, row = stride - 2, flat(padded)
    w00, w01, w02 = spread8(w[0, 0]), spread8(w[0, 1]), spread8(w[0, 2])
    w10, w11, w12 = spread8(w[1, 0]), spread8(w[1, 1]), spread8(w[1, 2])
    w20, w21, w22 = spread8(w[2, 0]), spread8(w[2, 1]), spread8(w[2, 2])
    for y in range(height):
        for i in range(0, width, 8):
            x = min(i, width - 8)
            upper = y * stride + x
            middle, lower = upper + stride, upper + 2 * stride
            total = w00 * load8(row, upper)
            total = fma(w01, load8(row, upper + 1), total)
            total = fma(w02, load8(row, upper + 2), total)
            total = fma(w10, load8(row, middle), total)
            total = fma(w11, load8(row, middle + 1), total)
            total = fma(w12, load8(row, middle + 2), total)
            total = fma(w20, load8(row, lower), total)
            total = fma(w21, load8(row, lower + 1), total)
            total = fma(w22, load8(row, lower + 2), total)
            store(out, y * width + x, clip8(total))


@kernel
def _filter_row(out, rows, weights):
    for i in range(out.size):
        out[i] = np.float32(0)
    for v in range(weights.shape[0]):
        for u in range(weights.shape[1]):
            tap = weights[v, u]
            for i in range(out.size):
                out[i] = fma(tap, rows[v, i + u], out[i])
    for i in range(out.size):
        out[i] = clip_unit(out[i])


@kernel
def _filter_range(out, images, weights, padded, start, stop):
    out, images, weights, padded = borrowed((out, images, weights, padded))
    for n in range(start, stop):
        for c in range(images.shape[1]):
            filter_channel(out[n, c], images[n, c], weights[n], padded)


@documented
def random_filter(images: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    x, w = check_float32(images), writable(weights)
    check_shape("weights", w, len(x), None, None)
    check_shape("weights", w, len(x), w.shape[2], w.shape[2])
    if w.shape[2] < 1:
        raise ValueError("weights: needs at least one tap")
    (height, width), size = x.shape[2:], w.shape[2]
    rows = x.reshape(*x.shape[:2], height * width)
    out = np.empty_like(rows)

    def work(start: int, stop: int) -> None:
        _filter_range(out, rows, w, np.zeros((height + size - 1, width + size - 1), np.float32), start, stop)

    for_ranges(work, len(x), 4)
    return out.reshape(x.shape)

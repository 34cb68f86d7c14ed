"""Bilinear warps with clamped coordinates.

Four channels of a pixel are kept side by side while they are sampled, so that one load fetches them all.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from passband.kernels.checks import check_float32, check_shape, writable
from passband.kernels.contract import documented
from passband.kernels.cpu.arrays import borrowed
from passband.kernels.cpu.compile import fma, kernel
from passband.kernels.cpu.threads import for_ranges
from passband.kernels.cpu.vectors import load4, spread4, store

_ZERO = np.float32(0)
_MOST_SIDE_BY_SIDE = 2048 * 2048
"""Pixels of the largest image whose channels are laid side by side: the copy takes a third more than the image."""


class WarpScratch(NamedTuple):
    """Memory of one thread for `warp_image`.

    Attributes
    ----------
    quads : (H * W * 4,) float32
        Empty for large images, whose channels are sampled one after another.
    row : (W * 4,) float32
    corners : (W,) int32
    fractions : (2, W) float32
    """

    quads: NDArray[np.float32]
    row: NDArray[np.float32]
    corners: NDArray[np.int32]
    fractions: NDArray[np.float32]


def is_large(height: int, width: int) -> bool:
    """Tell whether kernels save memory over time at this size."""
    return height * width > _MOST_SIDE_BY_SIDE


def warp_scratch(height: int, width: int) -> WarpScratch:
    """Return zeroed `WarpScratch`."""
    return WarpScratch(
        np.zeros(0 if is_large(height, width) else height * width * 4, np.float32),
        np.zeros(width * 4, np.float32),
        np.zeros(width, np.int32),
        np.zeros((2, width), np.float32),
    )


@kernel
def _interleave(quads, image, first, count):
    """Write channels first .. first + count - 1 of a (C, pixels) image side by side, four a pixel."""
    if count == 3:
        red, green, blue = image[first], image[first + 1], image[first + 2]
        for i in range(red.size):
            quads[4 * i] = red[i]
            quads[4 * i + 1] = green[i]
            quads[4 * i + 2] = blue[i]
            quads[4 * i + 3] = _ZERO
    else:
        for c in range(count):
            channel = image[first + c]
            for i in range(channel.size):
                quads[4 * i + c] = channel[i]


@kernel
def _locate(corners, fractions, dy, dx, y, height, width):
    """Find, for a row of pixels, the quad of the upper left neighbour and the way to the others."""
    last_y, last_x = np.float32(height - 1), np.float32(width - 1)
    lowest, rightmost = np.int32(max(height - 2, 0)), np.int32(max(width - 2, 0))
    here = np.float32(y)
    for x in range(np.int32(width)):
        at_y = min(max(here - dy[x], _ZERO), last_y)
        at_x = min(max(np.float32(x) - dx[x], _ZERO), last_x)
        top, left = min(np.int32(at_y), lowest), min(np.int32(at_x), rightmost)
        fractions[0, x] = at_y - np.float32(top)
        fractions[1, x] = at_x - np.float32(left)
        corners[x] = np.int32(4) * (top * np.int32(width) + left)


@kernel
def _sample_row(row, quads, corners, fractions, right, below):
    for x in range(corners.size):
        corner = np.intp(corners[x])
        fy, fx = spread4(fractions[0, x]), spread4(fractions[1, x])
        a, b = load4(quads, corner), load4(quads, corner + right)
        c, d = load4(quads, corner + below), load4(quads, corner + below + right)
        upper, lower = fma(fx, b - a, a), fma(fx, d - c, c)
        store(row, 4 * x, fma(fy, lower - upper, upper))


@kernel
def _sample_plane(line, plane, corners, fractions, right, below):
    """Do as `_sample_row` for one channel."""
    for x in range(corners.size):
        corner, fy, fx = np.intp(corners[x]) // 4, fractions[0, x], fractions[1, x]
        a, b = plane[corner], plane[corner + right]
        c, d = plane[corner + below], plane[corner + below + right]
        upper, lower = fma(fx, b - a, a), fma(fx, d - c, c)
        line[x] = fma(fy, lower - upper, upper)


@kernel
def warp_row(out, image, dy, dx, y, height, scratch):
    """Write row y of what `warp_image` makes, without a copy of the image; `dy` and `dx` are its displacement."""
    width, corners, fractions = dy.size, scratch.corners, scratch.fractions
    right, below = min(1, width - 1), width * min(1, height - 1)
    _locate(corners, fractions, dy, dx, y, height, width)
    for c in range(image.shape[0]):
        _sample_plane(out[c, y * width : (y + 1) * width], image[c], corners, fractions, right, below)


@kernel
def warp_image(out, image, displacement, scratch):
    """Write x at r - displacement(r) to `out`: (C, H * W), (C, H * W), (2, H, W)."""
    channels = image.shape[0]
    _, height, width = displacement.shape
    if scratch.quads.size == 0:
        for y in range(height):
            warp_row(out, image, displacement[0, y], displacement[1, y], y, height, scratch)
        return
    row, corners, fractions = scratch.row, scratch.corners, scratch.fractions
    right, below = 4 * min(1, width - 1), 4 * width * min(1, height - 1)
    for first in range(0, channels, 4):
        count = min(4, channels - first)
        _interleave(scratch.quads, image, first, count)
        for y in range(height):
            _locate(corners, fractions, displacement[0, y], displacement[1, y], y, height, width)
            _sample_row(row, scratch.quads, corners, fractions, right, below)
            for c in range(count):
                line = out[first + c, y * width : (y + 1) * width]
                for x in range(width):
                    line[x] = row[4 * x + c]


@kernel
def _warp_range(out, images, displacement, scratch, start, stop):
    out, images, displacement, scratch = borrowed((out, images, displacement, scratch))
    for n in range(start, stop):
        warp_image(out[n], images[n], displacement[n], scratch)


@documented
def warp(images: NDArray[np.float32], displacement: NDArray[np.float32]) -> NDArray[np.float32]:
    x, d = check_float32(images), writable(displacement)
    check_shape("displacement", d, len(x), 2, *x.shape[2:])
    flat = x.reshape(*x.shape[:2], x.shape[2] * x.shape[3])
    out = np.empty_like(flat)

    def work(start: int, stop: int) -> None:
        _warp_range(out, flat, d, warp_scratch(*x.shape[2:]), start, stop)

    for_ranges(work, len(x), 4)
    return out.reshape(x.shape)

"""Conversion between stored pixels and images. `to_uint8` is the one function of the project that rounds.

Layouts: pixels (N, H, W, C) uint8, as codecs have them; images (N, C, H, W) float32, as kernels have them.
"""

import numpy as np
from numpy.typing import NDArray

from passband.kernels.checks import check_float32, writable
from passband.kernels.contract import documented
from passband.kernels.cpu.chunks import chunk_rows
from passband.kernels.cpu.compile import kernel
from passband.kernels.cpu.threads import for_ranges
from passband.kernels.family_checks import check_pixels, not_finite


@documented
def to_float(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    check_pixels(pixels)
    count, height, width, channels = pixels.shape
    images = np.empty((count, channels, height, width), np.float32)
    flat = writable(pixels, np.uint8).reshape(count, height * width, channels)
    planes = images.reshape(count, channels, height * width)
    rows = chunk_rows(count, flat[0:1].size)
    for_ranges(lambda start, stop: _to_float(flat[start:stop], planes[start:stop]), count, rows)
    return images


@documented
def to_uint8(images: NDArray[np.float32]) -> NDArray[np.uint8]:
    images = check_float32(images)
    count, channels, height, width = images.shape
    pixels = np.empty((count, height, width, channels), np.uint8)
    finite = np.ones(count, np.bool_)
    planes = images.reshape(count, channels, height * width)
    flat = pixels.reshape(count, height * width, channels)
    rows = chunk_rows(count, flat[0:1].size)
    for_ranges(lambda start, stop: _to_uint8(planes[start:stop], flat[start:stop], finite[start:stop]), count, rows)
    if not finite.all():
        raise ValueError(not_finite(int(np.argmin(finite)), count))
    return pixels


@kernel
def _to_float(pixels: NDArray[np.uint8], planes: NDArray[np.float32]) -> None:
    for n in range(planes.shape[0]):
        for c in range(planes.shape[1]):
            for p in range(planes.shape[2]):
                planes[n, c, p] = np.float32(pixels[n, p, c]) / np.float32(255)


@kernel
def _to_uint8(planes: NDArray[np.float32], pixels: NDArray[np.uint8], finite: NDArray[np.bool_]) -> None:
    for n in range(planes.shape[0]):
        checksum = np.float32(0)
        for c in range(planes.shape[1]):
            for p in range(planes.shape[2]):
                x = planes[n, c, p]
                checksum += x * np.float32(0)  # NaN and infinity stay, all else adds zero
                # In float64 the product of a float32 and 255 is exact, so nothing is rounded twice.
                pixels[n, p, c] = np.uint8(np.rint(min(max(np.float64(x), 0.0), 1.0) * 255.0))
        finite[n] = checksum == 0

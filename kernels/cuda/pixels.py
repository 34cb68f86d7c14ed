"""Conversion between stored pixels and images: one pass each, the change of layout in the same store.

Layouts: pixels (N, H, W, C) uint8, as codecs have them; images (N, C, H, W) float32, as kernels have them.
"""

from typing import Any

import numpy as np

from passband.kernels.contract import documented
from passband.kernels.cuda.arrays import Array, as_images, contiguous, empty
from passband.kernels.cuda.device import current, int32, launch
from passband.kernels.family_checks import check_finite, check_pixels


@documented
def to_float(pixels: Any) -> Array:
    check_pixels(pixels)
    count, height, width, channels = pixels.shape
    images = empty((count, channels, height, width))
    sizes = *int32(channels, height * width), np.int64(images.size)
    launch("pixels.cu", "to_float", images.size, (contiguous(pixels), *sizes, images))
    return images


@documented
def to_uint8(images: Any) -> Array:
    pixels, first_bad = round_pixels(images)
    check_finite(int(first_bad[0]), len(pixels))
    return pixels


def round_pixels(images: Any) -> tuple[Array, Array]:
    """Return pixels as `to_uint8`, and, in place of its error, the row of the first sample that is not finite.

    Nothing here waits for the device.

    Parameters
    ----------
    images : (N, C, H, W) float32

    Returns
    -------
    pixels : (N, H, W, C) uint8
    first_bad : (1,) int32; N where all are finite
    """
    images = as_images(images)
    channels, height, width = images.shape[1:]
    pixels, first_bad = unfilled_pixels(images.shape)
    sizes = *int32(channels, height * width), np.int64(images.size)
    launch("pixels.cu", "to_uint8", images.size, (images, *sizes, pixels, first_bad))
    return pixels, first_bad


def unfilled_pixels(shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Return what a kernel fills with the pixels of images of this shape, as `round_pixels` returns them."""
    count, channels, height, width = shape
    return empty((count, height, width, channels), np.uint8), current().xp.full(1, count, np.int32)

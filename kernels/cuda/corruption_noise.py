"""Noise of the common corruptions in float32: one pass over the values."""

from functools import lru_cache
from typing import Any

import numpy as np

from passband.kernels.checks import check_shape
from passband.kernels.contract import documented
from passband.kernels.cuda.arrays import Array, as_images, contiguous, empty
from passband.kernels.cuda.device import Device, current, launch
from passband.kernels.poisson import poisson_table


@documented
def gaussian_noise(images: Any, scale: float, normals: Any) -> Array:
    images = as_images(images)
    check_shape("normals", normals, *images.shape)
    out = empty(images.shape)
    args = images, contiguous(normals, np.float32), np.float32(scale), np.int64(images.size), out
    launch("noise.cu", "gaussian_noise", images.size, args)
    return out


@documented
def impulse_noise(images: Any, amount: float, words: Any) -> Array:
    images = as_images(images)
    check_shape("words", words, *images.shape)
    threshold = round(amount * 2**32)
    if threshold == 0:
        return images.copy()
    out = empty(images.shape)
    last = np.uint32((threshold - 1) // 2), np.uint32(threshold - 1)
    args = images, contiguous(words, np.uint32), *last, np.int64(images.size), out
    launch("noise.cu", "impulse_noise", images.size, args)
    return out


@documented
def shot_noise(images: Any, rate: float, words: Any) -> Array:
    images = as_images(images)
    check_shape("words", words, *images.shape)
    out = empty(images.shape)
    table = _table(current(), float(rate))
    args = images, contiguous(words, np.uint32), *table, np.float32(rate), np.int64(images.size), out
    launch("noise.cu", "shot_noise", images.size, args)
    return out


@lru_cache(maxsize=16)
def _table(device: Device, rate: float) -> tuple[Array, ...]:
    """Return the table of `poisson_table` on the device: steps, starts, least, guide."""
    steps, *integers = poisson_table(rate)
    table = device.asarray(steps), *(device.asarray(part.astype(np.int32)) for part in integers)
    device.synchronize()  # later calls may come on another stream
    return table

"""Weather of the common corruptions in float32."""

from typing import Any

import numpy as np

from passband.kernels.contract import documented
from passband.kernels.cuda.arrays import Array, as_images, contiguous, empty
from passband.kernels.cuda.device import current, int32, launch
from passband.kernels.family_checks import check_fractal_noise

_THREADS = 256


@documented
def brighten(images: Any, amount: float) -> Array:
    images = as_images(images)
    count, channels, height, width = images.shape
    out, pixels = empty(images.shape), count * height * width
    args = images, np.float32(amount), *int32(channels, height * width), np.int64(pixels), out
    launch("weather.cu", "brighten", pixels, args)
    return out


@documented
def plasma_fractal(noise: Any, decay: float) -> Array:
    """A block makes a map, level after level."""
    check_fractal_noise(noise)
    device, noise = current(), contiguous(noise, np.float32)
    count, size, _ = noise.shape
    amplitudes = device.asarray((1 / decay ** (2.0 * np.arange(size.bit_length() - 1))).astype(np.float32))
    out = empty(noise.shape)
    if count:
        fractal = device.kernel("weather.cu", "plasma_fractal")
        fractal((count,), (_THREADS,), (noise, amplitudes, *int32(size), out), shared_mem=8 * _THREADS)
    return out

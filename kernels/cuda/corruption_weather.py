"""Weather of the common corruptions in float32."""

from typing import Any

import numpy as np

from passband.kernels.cuda.arrays import Array, as_images, contiguous, empty
from passband.kernels.cuda.device import current, int32, launch
from passband.kernels.reference.corruption_weather import check_fractal_noise

_THREADS = 256


def brighten(images: Any, amount: float) -> Array:
    """Raise the value of every pixel in HSV by `amount`, hue and saturation kept.

    Parameters
    ----------
    images : (N, C, H, W) float32 in [0, 1]
    amount : float

    Returns
    -------
    (N, C, H, W) float32 in [0, 1], to rounding

    Notes
    -----
    See `kernels.reference.brighten`: the channels are proportional to the value.
    """
    images = as_images(images)
    count, channels, height, width = images.shape
    out, pixels = empty(images.shape), count * height * width
    args = images, np.float32(amount), *int32(channels, height * width), np.int64(pixels), out
    launch("weather.cu", "brighten", pixels, args)
    return out


def plasma_fractal(noise: Any, decay: float) -> Array:
    """Return a height map by the diamond-square algorithm on a torus, scaled to [0, 1].

    Parameters
    ----------
    noise : (N, M, M), M a power of two from 2 on
        Uniform on [-1, 1]: what each point adds to the mean of its four neighbours of the level above. That of
        point (0, 0), where the map begins, is not used.
    decay : float
        The amplitude of the noise falls by decay^2 from a level to the next.

    Returns
    -------
    (N, M, M) float32; least 0 and largest 1 in each map

    Raises
    ------
    ValueError
        For other shapes.

    Notes
    -----
    See `kernels.reference.plasma_fractal`. A block makes a map, level after level.
    """
    check_fractal_noise(noise)
    device, noise = current(), contiguous(noise, np.float32)
    count, size, _ = noise.shape
    amplitudes = device.asarray((1 / decay ** (2.0 * np.arange(size.bit_length() - 1))).astype(np.float32))
    out = empty(noise.shape)
    if count:
        fractal = device.kernel("weather.cu", "plasma_fractal")
        fractal((count,), (_THREADS,), (noise, amplitudes, *int32(size), out), shared_mem=8 * _THREADS)
    return out

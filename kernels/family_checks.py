"""What single families of kernels ask of their arguments, and the threshold of phases that all backends share."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from passband.kernels.checks import check_shape, is_array

PHASE_FLOOR = 2.0**-22
"""A bin below this share of its channel's largest amplitude has no phase in float32: rounding reaches 1/4 of it."""


def check_pixels(pixels: Any) -> None:
    """Raise ValueError unless `pixels` is (N, H, W, C) uint8 with H, W, C >= 1."""
    if not is_array(pixels) or pixels.dtype != np.uint8:
        raise ValueError(f"pixels: needs a uint8 array, got {getattr(pixels, 'dtype', type(pixels).__name__)}")
    if pixels.ndim != 4 or min(pixels.shape[1:]) < 1:
        raise ValueError(f"pixels: needs shape (N, H, W, C) with H, W, C >= 1, got {pixels.shape}")


def check_finite(first_bad: int, count: int) -> None:
    """Raise ValueError if `first_bad`, the first sample that is not finite, is a row of a batch of `count`."""
    if first_bad < count:
        raise ValueError(not_finite(first_bad, count))


def not_finite(row: int, count: int) -> str:
    """Say which sample of a batch cannot be rounded."""
    return f"sample at row {row} of a batch of {count} is not finite: NaN or infinity cannot become a pixel"


def check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise ValueError unless `value` is one of `allowed`."""
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}; allowed: {', '.join(allowed)}")


def check_count(name: str, value: int, most: int) -> None:
    """Raise ValueError unless 1 <= `value` <= `most`."""
    if not 1 <= value <= most:
        raise ValueError(f"{name} is {value}; allowed: 1 to {most} for images of this size")


def check_choices(name: str, chosen: Any, length: int) -> NDArray[np.int64]:
    """Return `chosen`, positions in something of `length`, as int64; raise ValueError for any other."""
    check_shape(name, chosen, None)
    given = np.asarray(chosen)
    if given.dtype.kind not in "iu":
        raise ValueError(f"{name}: needs integers, got {given.dtype}")
    if given.size and not (0 <= given.min() and given.max() < length):
        raise ValueError(f"{name}: needs 0 to {length - 1}, got {given.min()} to {given.max()}")
    return given.astype(np.int64)


def check_frequency(height: int, width: int, i: int, j: int) -> None:
    """Raise ValueError unless (i, j) is a frequency of an image of this size."""
    if not (0 <= i < height and 0 <= j < width):
        raise ValueError(f"frequency ({i}, {j}): a {height} x {width} image has (0..{height - 1}, 0..{width - 1})")


def check_symmetric(weights: Any) -> NDArray[np.float64]:
    """Return `weights` as float64; raise ValueError unless they are (2 R + 1,) and read the same from both ends."""
    check_shape("weights", weights, None)
    w = np.asarray(weights, np.float64)
    if len(w) % 2 == 0 or (w != w[::-1]).any():
        raise ValueError(f"weights: needs an odd number that read the same from both ends, got {len(w)}")
    return w


def check_fractal_noise(noise: NDArray[np.floating]) -> None:
    """Raise ValueError unless `noise` is (N, M, M) with M a power of two from 2 on."""
    check_shape("noise", noise, None, None, None)
    check_shape("noise", noise, None, noise.shape[1], noise.shape[1])
    if noise.shape[1] < 2 or noise.shape[1] & (noise.shape[1] - 1):
        raise ValueError(f"noise: needs a side that is a power of two from 2 on, got {noise.shape[1]}")

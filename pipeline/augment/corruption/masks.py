"""What blurs weigh pixels with: sums of exponentials without a library's exp, so that the bits are the same everywhere.

A mask is a list of taps: offsets (K, 2), rows then columns, in pixels, and weights (K,) that add up to 1.
"""

import math
from collections.abc import Iterable, Sequence
from decimal import Context, Decimal
from functools import cache

import numpy as np
from numpy.typing import NDArray

from passband.kernels.elementary import cos_pi, sin_pi

Offsets = NDArray[np.int64]
Weights = NDArray[np.float64]

LUMA = np.array([0.299, 0.587, 0.114], np.float32)[:, None, None]
"""Share of red, green and blue in grey (ITU-R BT.601), as OpenCV has it."""
NEGLIGIBLE = 1e-9
"""Taps below this part of the largest are left out: they move no 8-bit level, and float32 slows down where it ends."""


def luma(images: NDArray[np.float32], weights: NDArray[np.float32] = LUMA) -> NDArray[np.float32]:
    """Return the grey of colours, (N, 3, H, W) -> (N, 1, H, W), added up in one order; `weights` lie where they do."""
    weighted = weights * images
    return weighted[:, :1] + weighted[:, 1:2] + weighted[:, 2:]


def bell(distance: float, sigma: float) -> float:
    """Return exp(-d^2 / (2 sigma^2)); `decimal` rounds it correctly, where libm's exp differs between processors."""
    return float(Context(prec=40).exp(Decimal(-(distance * distance) / (2 * sigma * sigma))))


def normalized(weights: NDArray[np.float64]) -> Weights:
    """Return weights divided by their exactly rounded sum."""
    return weights / math.fsum(weights.reshape(-1))


@cache
def gaussian_weights(sigma: float, radius: int) -> Weights:
    """Return the weights of a Gaussian at -radius .. radius: (2 radius + 1,)."""
    return normalized(np.array([bell(i, sigma) for i in range(-radius, radius + 1)]))


@cache
def half_gaussian_weights(sigma: float, count: int) -> Weights:
    """Return the weights of a Gaussian at 0 .. count - 1: (count,)."""
    return normalized(np.array([bell(i, sigma) for i in range(count)]))


@cache
def disk_taps(radius: float, sigma: float) -> tuple[Offsets, Weights]:
    """Return the taps of a disk whose edge a small Gaussian softens.

    Notes
    -----
    The Gaussian has 3 x 3 taps, above radius 8 5 x 5. The published code mirrors the disk at the edge of its square,
    which the disk touches from radius 8 on; here it has a margin, so that a constant image stays one.
    """
    reach, soft = math.ceil(radius), 1 if radius <= 8 else 2
    size = 2 * (reach + soft) + 1
    coordinates = np.arange(size) - size // 2
    disk = (coordinates[:, None] ** 2 + coordinates**2 <= radius**2).astype(np.float64)
    line = gaussian_weights(sigma, soft)
    total = np.zeros((size, size))
    for dy in range(-soft, soft + 1):
        for dx in range(-soft, soft + 1):
            total += line[dy + soft] * line[dx + soft] * np.roll(disk, (dy, dx), (0, 1))
    kept = total > NEGLIGIBLE * total.max()
    return np.argwhere(kept) - size // 2, normalized(total[kept])


def line_offsets(half_turns: NDArray[np.float64], count: int) -> Offsets:
    """Return the pixels along rays: (N, count, 2), the first (0, 0).

    Parameters
    ----------
    half_turns : (N,) in -1..1, from the direction of growing columns towards growing rows; 1/2 is a right angle
    count : int

    Notes
    -----
    Pixel i is the one nearest to distance i, as ImageMagick's motion blur has it: ceil(i sin - 1/2), ceil(i cos - 1/2).
    """
    direction = np.stack([sin_pi(half_turns), cos_pi(half_turns)], axis=-1)
    return np.ceil(np.arange(count)[:, None] * direction[:, None] - 0.5).astype(np.int64)


def zoom_factors(percents: Sequence[int]) -> list[float]:
    """Return factors of equal steps from 1 on, given in percent, as numpy.arange sums them up in floats.

    Notes
    -----
    They are a little more than what they stand for where the step as a float is, and sizes depend on it: 26 pixels
    times 1.25 are 32.5 and become 32, but times the published 1.2500000000000002 they become 33.
    """
    step = percents[1] - percents[0] if len(percents) > 1 else 0
    width = (1 + step / 100) - 1
    return [1 + number * width for number in range(len(percents))]


def zoom_grid(size: int, factors: Iterable[float]) -> NDArray[np.float64]:
    """Return where the pixels of centred enlargements lie in a line of `size` pixels: (number of factors, size).

    Notes
    -----
    The middle ceil(size / factor) pixels are spread, from the first to the last, over as many pixels as they have times
    the factor, rounded half to even, and the middle `size` of those are kept: scipy.ndimage.zoom of order 1. Both sizes
    are worked out in floats, as published; 224 / 1.12, which is 200 but for rounding, becomes what it becomes there.
    """
    return np.stack([_zoom_line(size, factor) for factor in factors])


@cache
def _zoom_line(size: int, factor: float) -> NDArray[np.float64]:
    inner = math.ceil(size / factor)
    outer = round(inner * factor)
    first, trimmed = (size - inner) // 2, (outer - size) // 2
    return first + (np.arange(size) + trimmed) * (inner - 1) / max(1, outer - 1)

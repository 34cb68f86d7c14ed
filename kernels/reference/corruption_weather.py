"""Weather of the common corruptions in float64: brightness, and the fractal of fog and frost.

Hendrycks & Dietterich 2019, "Benchmarking neural network robustness to common corruptions and perturbations".
"""

import numpy as np
from numpy.typing import NDArray

from passband.kernels.checks import check_images
from passband.kernels.contract import documented
from passband.kernels.family_checks import check_fractal_noise

Images = NDArray[np.floating]
Result = NDArray[np.float64]


@documented
def brighten(images: Images, amount: float) -> Result:
    check_images(images)
    x = images.astype(np.float64)
    value = x.max(axis=1, keepdims=True)
    raised = np.clip(value + amount, 0, 1)
    black = value == 0
    return np.where(black, raised, x / np.where(black, 1, value) * raised)


@documented
def plasma_fractal(noise: NDArray[np.floating], decay: float) -> Result:
    check_fractal_noise(noise)
    step, amplitude = noise.shape[1], 1.0
    heights = np.zeros(noise.shape)
    while step > 1:
        here = np.arange(0, noise.shape[1], step)
        before, after = here - step // 2, here + step // 2
        _displace(heights, noise, amplitude, after, after, [(-1, -1), (-1, 1), (1, -1), (1, 1)], step // 2)
        cross = [(-1, 0), (1, 0), (0, -1), (0, 1)]
        _displace(heights, noise, amplitude, here, after, cross, step // 2)
        _displace(heights, noise, amplitude, before, here, cross, step // 2)
        step, amplitude = step // 2, amplitude / decay**2
    heights -= heights.min(axis=(1, 2), keepdims=True)
    return heights / _not_zero(heights.max(axis=(1, 2), keepdims=True))


def _displace(
    heights: Result,
    noise: NDArray[np.floating],
    amplitude: float,
    rows: NDArray[np.integer],
    columns: NDArray[np.integer],
    directions: list[tuple[int, int]],
    reach: int,
) -> None:
    """Set the points (rows, columns) to the mean of four neighbours plus noise, coordinates modulo the size."""
    size = heights.shape[1]
    neighbors = [heights[:, *np.ix_((rows + reach * y) % size, (columns + reach * x) % size)] for y, x in directions]
    points = np.ix_(rows % size, columns % size)
    heights[:, *points] = sum(neighbors) / 4 + amplitude * noise[:, *points]


def _not_zero(scale: Result) -> Result:
    """Return `scale` with 1 for 0: a flat map stays flat."""
    return np.where(scale == 0, 1, scale)

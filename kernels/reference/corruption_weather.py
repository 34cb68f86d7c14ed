"""Weather of the common corruptions in float64: brightness, and the fractal of fog and frost.

Hendrycks & Dietterich 2019, "Benchmarking neural network robustness to common corruptions and perturbations".
"""

import numpy as np
from numpy.typing import NDArray

from passband.kernels.checks import check_images, check_shape

Images = NDArray[np.floating]
Result = NDArray[np.float64]


def brighten(images: Images, amount: float) -> Result:
    """Raise the value of every pixel in HSV by `amount`, hue and saturation kept.

    Parameters
    ----------
    images : (N, C, H, W) float in [0, 1]
    amount : float

    Returns
    -------
    (N, C, H, W) float64 in [0, 1]

    Notes
    -----
    The value V is the largest channel. With hue and saturation kept every channel is proportional to V, so that no
    conversion is needed: x V' / V, V' = clip(V + amount, 0, 1); black has saturation 0 and becomes the grey V'.
    """
    check_images(images)
    x = images.astype(np.float64)
    value = x.max(axis=1, keepdims=True)
    raised = np.clip(value + amount, 0, 1)
    black = value == 0
    return np.where(black, raised, x / np.where(black, 1, value) * raised)


def plasma_fractal(noise: NDArray[np.floating], decay: float) -> Result:
    """Return a height map by the diamond-square algorithm on a torus, scaled to [0, 1].

    Parameters
    ----------
    noise : (N, M, M) float, M a power of two from 2 on
        Uniform on [-1, 1]: what each point adds to the mean of its four neighbours of the level above. That of
        point (0, 0), where the map begins, is not used.
    decay : float
        The amplitude of the noise falls by decay^2 from a level to the next.

    Returns
    -------
    (N, M, M) float64; least 0 and largest 1 in each map

    Raises
    ------
    ValueError
        For other shapes.

    Notes
    -----
    decay^2 is that of the public code of Hendrycks & Dietterich, whose amplitude enters twice. Fournier, Fussell &
    Carpenter 1982, "Computer rendering of stochastic models"; diamond-square as Miller 1986.
    """
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


def check_fractal_noise(noise: NDArray[np.floating]) -> None:
    """Raise ValueError unless `noise` is (N, M, M) with M a power of two from 2 on."""
    check_shape("noise", noise, None, None, None)
    check_shape("noise", noise, None, noise.shape[1], noise.shape[1])
    if noise.shape[1] < 2 or noise.shape[1] & (noise.shape[1] - 1):
        raise ValueError(f"noise: needs a side that is a power of two from 2 on, got {noise.shape[1]}")

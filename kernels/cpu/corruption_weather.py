"""Weather of the common corruptions in float32; a pixel depends on the processor in no bit."""

import numpy as np
from numpy.typing import NDArray

from passband.kernels.checks import check_float32, writable
from passband.kernels.cpu.chunks import in_chunks
from passband.kernels.reference.corruption_weather import check_fractal_noise

Images = NDArray[np.float32]


def brighten(images: Images, amount: float) -> Images:
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

    def brighten_chunk(chunk: Images, out: Images) -> None:
        value = chunk.max(axis=1, keepdims=True)
        raised = np.clip(value + np.float32(amount), 0, 1)
        black = value == 0
        np.divide(chunk, np.where(black, np.float32(1), value), out=out)
        out *= raised
        np.copyto(out, raised, where=black)

    return in_chunks(brighten_chunk, check_float32(images))


def plasma_fractal(noise: NDArray[np.float32], decay: float) -> NDArray[np.float32]:
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
    See `kernels.reference.plasma_fractal`.
    """
    check_fractal_noise(noise)

    def grow(chunk: Images, out: Images) -> None:
        size, amplitude = out.shape[1], 1.0
        out[:, 0, 0] = 0
        for level in range(size.bit_length() - 1):
            _refine(out, chunk, size >> level, np.float32(amplitude))
            amplitude /= decay**2
        out -= out.min(axis=(1, 2), keepdims=True)
        top = out.max(axis=(1, 2), keepdims=True)
        out /= np.where(top == 0, np.float32(1), top)

    return in_chunks(grow, writable(noise))


def _refine(heights: Images, noise: Images, step: int, amplitude: np.float32) -> None:
    """Fill in the centres of squares `step` wide, then the middles of their sides."""
    quarter, half = np.float32(0.25), step // 2
    corners = heights[:, ::step, ::step]
    below, beside = np.roll(corners, -1, 1), np.roll(corners, -1, 2)
    centers = (corners + below + beside + np.roll(below, -1, 2)) * quarter
    centers += amplitude * noise[:, half::step, half::step]
    heights[:, half::step, half::step] = centers
    sides = (corners + beside + centers + np.roll(centers, 1, 1)) * quarter
    heights[:, ::step, half::step] = sides + amplitude * noise[:, ::step, half::step]
    sides = (corners + below + centers + np.roll(centers, 1, 2)) * quarter
    heights[:, half::step, ::step] = sides + amplitude * noise[:, half::step, ::step]

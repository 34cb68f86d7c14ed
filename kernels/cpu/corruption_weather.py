"""Weather of the common corruptions in float32; a pixel depends on the processor in no bit."""

import numpy as np
from numpy.typing import NDArray

from passband.kernels.checks import check_float32, writable
from passband.kernels.contract import documented
from passband.kernels.cpu.chunks import in_chunks
from passband.kernels.family_checks import check_fractal_noise

Images = NDArray[np.float32]


@documented
def brighten(images: Images, amount: float) -> Images:
    def brighten_chunk(chunk: Images, out: Images) -> None:
        value = chunk.max(axis=1, keepdims=True)
        raised = np.clip(value + np.float32(amount), 0, 1)
        black = value == 0
        np.divide(chunk, np.where(black, np.float32(1), value), out=out)
        out *= raised
        np.copyto(out, raised, where=black)

    return in_chunks(brighten_chunk, check_float32(images))


@documented
def plasma_fractal(noise: NDArray[np.float32], decay: float) -> NDArray[np.float32]:
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

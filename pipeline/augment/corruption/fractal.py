"""The fractal of fog and of frost, cut to the size of an image."""

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from passband.pipeline.augment.draws import Draws

_AT_ONCE = 1 << 20  # words of each sample


def fractal(draws: Draws, height: int, width: int, decay: float, kernels: ModuleType) -> NDArray[np.float32]:
    """Return a crop of `plasma_fractal` of the least power of two that covers the image: (N, 1, H, W)."""
    size = 1 << max(1, (max(height, width) - 1).bit_length())
    words = kernels.words(draws.key, draws.indices, draws.view, draws.stage, size * size)
    noise = words.view(np.float32)  # in the place of its words: the square is up to four times a large image
    for start in range(0, size * size, _AT_ONCE):
        piece = slice(start, start + _AT_ONCE)
        noise[:, piece] = (words[:, piece] + 0.5) * 2.0**-31 - 1
    cut: NDArray[np.float32] = kernels.plasma_fractal(noise.reshape(-1, size, size), decay)[:, None, :height, :width]
    return cut if cut.shape[2:] == (size, size) else cut.copy()

"""Images cut or rounded to the 256 levels of 8 bits, as the public generators do on the way and at the end."""

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.float32]

SLACK = 2e-4
"""Part of a step that may be missing to a level that still counts as reached: several times what float32 loses, so that
a pixel that a corruption left alone keeps its level. No multiple of 2^-12, where the means of 64 x 64 pixels lie."""


def truncated(images: Images) -> Images:
    """Return the largest level k / 255 that is not above each value, clipped to [0, 1]; NaN stays.

    Parameters
    ----------
    images : (N, C, H, W) float32

    Returns
    -------
    (N, C, H, W) float32, which later rounding to 8 bits leaves as they are
    """
    levels = np.floor(np.clip(images, 0, 1) * np.float32(255) + np.float32(SLACK)) / np.float32(255)
    cut: Images = levels
    return cut


def rounded(images: Images, kernels: ModuleType) -> Images:
    """Return the level nearest to each value, as `kernels.to_uint8` finds it."""
    nearest: Images = kernels.to_float(kernels.to_uint8(images))
    return nearest

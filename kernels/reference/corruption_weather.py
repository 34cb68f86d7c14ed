"""Weather of the common corruptions in float64: brightness.

Hendrycks & Dietterich 2019, "Benchmarking neural network robustness to common corruptions and perturbations".
"""

import numpy as np
from numpy.typing import NDArray

from kernels.checks import check_images

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

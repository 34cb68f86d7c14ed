"""Corruptions by weather: brightness.

Constants, formulas and the order of the steps: Hendrycks & Dietterich 2019, "Benchmarking neural network robustness
to common corruptions and perturbations", and its public code.
"""

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from pipeline.augment.draws import Draws

Images = NDArray[np.float32]


def brightness(images: Images, constants: tuple[float, ...], draws: Draws, kernels: ModuleType) -> Images:
    """Raise the value in HSV; constants: the amount."""
    (amount,) = constants
    return kernels.brighten(images, amount)


WEATHER = {"brightness": brightness}
"""Name -> function, in the order of the paper."""

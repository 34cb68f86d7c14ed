"""Corruptions of digital origin: contrast.

Constants, formulas and the order of the steps: Hendrycks & Dietterich 2019, "Benchmarking neural network robustness
to common corruptions and perturbations", and its public code.
"""

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from pipeline.augment.draws import Draws

Images = NDArray[np.float32]


def contrast(images: Images, constants: tuple[float, ...], draws: Draws, kernels: ModuleType) -> Images:
    """Scale every channel's distance from its mean; constants: the factor."""
    (factor,) = constants
    return kernels.scale_contrast(images, factor)


DIGITAL = {"contrast": contrast}
"""Name -> function, in the order of the paper."""

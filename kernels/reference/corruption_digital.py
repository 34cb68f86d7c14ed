"""Digital faults of the common corruptions in float64: contrast.

Hendrycks & Dietterich 2019, "Benchmarking neural network robustness to common corruptions and perturbations".
"""

import numpy as np
from numpy.typing import NDArray

from kernels.checks import check_images

Images = NDArray[np.floating]
Result = NDArray[np.float64]


def scale_contrast(images: Images, factor: float) -> Result:
    """Scale every channel's distance from its mean over the image.

    Parameters
    ----------
    images : (N, C, H, W) float
    factor : float

    Returns
    -------
    (N, C, H, W) float64, not clipped
    """
    check_images(images)
    x = images.astype(np.float64)
    mean = x.mean(axis=(2, 3), keepdims=True)
    return mean + factor * (x - mean)

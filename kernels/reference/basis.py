"""Noise of single frequencies added to images: one product of a number and a basis image each."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from passband.kernels.checks import check_images, check_shape
from passband.kernels.contract import documented
from passband.kernels.family_checks import check_choices

Floats = NDArray[np.float64]


@documented
def add_basis(images: Any, rows: Any, basis: Any, frequencies: Any, amplitudes: Any) -> Floats:
    check_images(images)
    check_shape("basis", basis, None, *images.shape[2:])
    chosen = check_choices("rows", rows, len(images))
    waves = np.asarray(basis, np.float64)[check_choices("frequencies", frequencies, len(basis))]
    check_shape("frequencies", frequencies, len(chosen))
    check_shape("amplitudes", amplitudes, len(chosen), images.shape[1])
    strength: Floats = np.asarray(amplitudes, np.float64)[:, :, None, None]
    return np.asarray(images, np.float64)[chosen] + strength * waves[:, None]

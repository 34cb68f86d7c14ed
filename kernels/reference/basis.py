"""Noise of single frequencies added to images: one product of a number and a basis image each."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from passband.kernels.checks import check_images, check_shape
from passband.kernels.contract import documented

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def check_choices(name: str, chosen: Any, length: int) -> Integers:
    """Return `chosen`, positions in something of `length`, as int64; raise ValueError for any other."""
    check_shape(name, chosen, None)
    given = np.asarray(chosen)
    if given.dtype.kind not in "iu":
        raise ValueError(f"{name}: needs integers, got {given.dtype}")
    if given.size and not (0 <= given.min() and given.max() < length):
        raise ValueError(f"{name}: needs 0 to {length - 1}, got {given.min()} to {given.max()}")
    return given.astype(np.int64)


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

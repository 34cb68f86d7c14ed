"""The edge of this package: arrays of the host or the device in, contiguous arrays of the device on."""

from typing import Any

import numpy as np

from kernels.checks import check_images
from kernels.cuda.device import current

Array = Any
"""An array of the device (``cupy.ndarray``); mypy does not know CuPy."""


def as_images(images: Any) -> Array:
    """Return images on the device, contiguous, checked as `kernels.checks.check_images` and for float32."""
    check_images(images)
    if images.dtype != np.float32:
        raise ValueError(f"images: needs float32, got {images.dtype}")
    return contiguous(images)


def contiguous(array: Any, dtype: Any = None) -> Array:
    """Return an array of the device in C order, the array itself where it is one."""
    device = current()
    return device.xp.ascontiguousarray(device.asarray(array), dtype=dtype)


def empty(shape: Any, dtype: Any = np.float32) -> Array:
    """Return an array of the device that is not filled."""
    return current().xp.empty(shape, dtype)

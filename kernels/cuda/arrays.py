"""The edge of this package: arrays of the host or the device in, contiguous arrays of the device on."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from passband.kernels import philox
from passband.kernels.checks import check_images
from passband.kernels.cuda.device import current

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


def asarray(array: Any) -> Array:
    """Return an array of the device: itself, or a copy of one of the host."""
    return current().asarray(array)


def to_host(array: Any) -> NDArray[Any]:
    """Return an array of NumPy, once it is computed."""
    return current().asnumpy(array)


def host_words(key: int, indices: Any, view: int, stage: int, count: int, draw: int = 0) -> philox.Words:
    """Return `words` as an array of the host, for the few that parameters are drawn from: nothing waits for them."""
    return philox.words(key, indices, view, stage, count, draw)


def get_num_threads() -> int:
    """Return 1: a device is fed by one thread."""
    return 1


def for_ranges(work: Callable[[int, int], object], count: int, rows: int = 1) -> None:
    """Call ``work(start, stop)`` for consecutive ranges that cover ``0 .. count``, one after the other."""
    for start in range(0, count, max(1, rows)):
        work(start, min(start + rows, count))


def empty(shape: Any, dtype: Any = np.float32) -> Array:
    """Return an array of the device that is not filled."""
    return current().xp.empty(shape, dtype)

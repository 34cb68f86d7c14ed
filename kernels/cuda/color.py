"""Smooth colour: a sine series of each pixel's value, summed by Clenshaw's recurrence."""

from typing import Any

import numpy as np

from passband.kernels.checks import check_frequencies, check_shape
from passband.kernels.contract import documented
from passband.kernels.cuda.arrays import Array, as_images, contiguous, empty
from passband.kernels.cuda.device import current, int32, launch

THREADS, VALUES = 256, 4
"""Threads of a block, and values of each (``COLOR_VALUES`` of ``color.cuh``)."""


def runs_of(area: int) -> int:
    """Return how many blocks share a plane."""
    return -(-area // (THREADS * VALUES))


@documented
def smooth_color(images: Any, coefficients: Any, first_frequency: Any) -> Array:
    """Errors as on the CPU (`kernels.cpu.smooth_color`): up to 5e-4 for 100 terms of standard deviation 0.1."""
    images, a = as_images(images), contiguous(coefficients, np.float32)
    check_shape("coefficients", a, len(images), images.shape[1], None)
    first = contiguous(check_frequencies(current().asnumpy(first_frequency), len(images)), np.int32)
    out = empty(images.shape)
    area = images.shape[2] * images.shape[3]
    runs = runs_of(area)
    sizes = int32(images.shape[1], area, a.shape[2], runs)
    threads = images.shape[0] * images.shape[1] * runs * THREADS
    launch("color.cu", "smooth_color", threads, (images, a, first, *sizes, out), block=THREADS)
    return out

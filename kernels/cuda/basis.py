"""Images of single frequencies, and noise of them added to images, written once.

Layouts: images (N, C, H, W); basis images (F, H, W).
"""

import math
from typing import Any

import numpy as np

from passband.kernels.checks import check_shape
from passband.kernels.contract import documented
from passband.kernels.cuda.arrays import Array, as_images, contiguous, empty, to_host
from passband.kernels.cuda.device import int32, launch
from passband.kernels.family_checks import check_choices, check_frequency


@documented
def fourier_basis(height: int, width: int, i: int, j: int) -> Array:
    check_frequency(height, width, i, j)
    own_mirror = 2 * i % height == 0 and 2 * j % width == 0  # its values are +1 and -1
    norm = math.sqrt(height * width / (1 if own_mirror else 2))
    image = empty((height, width))
    launch("basis.cu", "fourier_basis", image.size, (*int32(height, width, i, j), np.float32(1 / norm), image))
    return image


@documented
def add_basis(images: Any, rows: Any, basis: Any, frequencies: Any, amplitudes: Any) -> Array:
    images = as_images(images)
    check_shape("basis", basis, None, *images.shape[2:])
    chosen = check_choices("rows", to_host(rows), len(images))
    waves = check_choices("frequencies", to_host(frequencies), len(basis))
    check_shape("frequencies", waves, len(chosen))
    check_shape("amplitudes", amplitudes, len(chosen), images.shape[1])
    out = empty((len(chosen), *images.shape[1:]))
    sources = images, contiguous(chosen), contiguous(basis, np.float32), contiguous(waves)
    sizes = *int32(images.shape[1], math.prod(images.shape[2:])), np.int64(out.size)
    launch("basis.cu", "add_basis", out.size, (*sources, contiguous(amplitudes, np.float32), *sizes, out))
    return out

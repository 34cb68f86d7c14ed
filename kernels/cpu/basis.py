"""Noise of single frequencies added to images, written once into the batch that a network then sees.

Layouts: images (N, C, P) with P = H * W; basis images (F, P).
"""

import numpy as np
from numpy.typing import NDArray

from passband.kernels.checks import check_float32, check_shape, writable
from passband.kernels.contract import documented
from passband.kernels.cpu.arrays import borrowed
from passband.kernels.cpu.chunks import CHUNK_BYTES
from passband.kernels.cpu.compile import fma, kernel
from passband.kernels.cpu.threads import for_ranges
from passband.kernels.family_checks import check_choices

Images = NDArray[np.float32]


@kernel
def _add_range(out, sources, choices, amplitudes, start, stop):
    out, (images, basis), (rows, frequencies), amplitudes = borrowed((out, sources, choices, amplitudes))
    for m in range(start, stop):
        n, f = rows[m], frequencies[m]
        for c in range(out.shape[1]):
            amplitude = amplitudes[m, c]
            for p in range(out.shape[2]):
                out[m, c, p] = fma(amplitude, basis[f, p], images[n, c, p])


@documented
def add_basis(
    images: Images, rows: NDArray[np.int64], basis: Images, frequencies: NDArray[np.int64], amplitudes: Images
) -> Images:
    images = check_float32(images)
    check_shape("basis", basis, None, *images.shape[2:])
    chosen, waves = check_choices("rows", rows, len(images)), check_choices("frequencies", frequencies, len(basis))
    check_shape("frequencies", waves, len(chosen))
    check_shape("amplitudes", amplitudes, len(chosen), images.shape[1])
    size = images.shape[2] * images.shape[3]
    out = np.empty((len(chosen), images.shape[1], size), np.float32)
    sources = writable(images).reshape(*images.shape[:2], size), writable(basis).reshape(len(basis), size)
    choices, strength = (chosen, waves), writable(amplitudes)
    for_ranges(
        lambda start, stop: _add_range(out, sources, choices, strength, start, stop),
        len(out),
        max(1, CHUNK_BYTES // (4 * images.shape[1] * size)),  # a network's batch is one: its caller has the threads
    )
    return out.reshape(len(out), *images.shape[1:])

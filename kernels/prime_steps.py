"""What was drawn for a batch of PRIME views, up to the normals, which kernels draw by address.

Legend: n samples, m chains (mixture width), s steps (mixture depth).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

IDENTITY, SPECTRAL, SPATIAL, COLOR, NOISE = range(5)


class PrimeSteps(NamedTuple):
    """Drawn parameters of `kernels.<backend>.prime_views`.

    Attributes
    ----------
    key, indices, view : int 64 bits, (n,) uint32, int 32 bits
        Address of the normals, with ``stages``.
    stages : (m, s) uint32
        Stage word of the normals of each step.
    kinds : (n, m, s) uint8
        IDENTITY, SPECTRAL, SPATIAL, COLOR or NOISE.
    strengths : (n, m, s) float32
        Standard deviation: of a filter tap, of the sine mode (i, j) times sqrt(i^2 + j^2), of a colour
        coefficient, of the noise.
    first, last : (n, m, s) int32
        COLOR: first and last frequency. SPATIAL: ``last`` is the largest i^2 + j^2 that is kept.
    weights : (n, m + 1) float32
        Of the clean image and of each chain, sum 1.
    size : int
        Side of the spectral filter.

    Notes
    -----
    Where each normal lies in the stream of its step (block, lane): SPECTRAL tap t, row-major: (t // 4, t % 4).
    SPATIAL mode (p, q), counted from 0, of axis a: ((p // 2) (W - 2) + q, 2 (p % 2) + a). COLOR frequency k of
    channel c: (((k - 1) // 4) C + c, (k - 1) % 4). NOISE at element t of (C, H, W): (t // 4, t % 4). None depends on
    how many are drawn.
    """

    key: int
    indices: NDArray[np.uint32]
    view: int
    stages: NDArray[np.uint32]
    kinds: NDArray[np.uint8]
    strengths: NDArray[np.float32]
    first: NDArray[np.int32]
    last: NDArray[np.int32]
    weights: NDArray[np.float32]
    size: int

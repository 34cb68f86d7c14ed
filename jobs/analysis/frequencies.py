"""The spatial frequencies of a real image: half of them are distinct, the rest is their mirror image.

Layouts: FFT layout has zero frequency at (0, 0), a centred map at (H // 2, W // 2).
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def distinct_frequencies(height: int, width: int) -> Integers:
    """Return the frequencies (i, j), of each mirror pair the one that comes first row by row: (K, 2).

    Notes
    -----
    The mirror image of (i, j) is (-i mod H, -j mod W); K = (H W + those that are their own) / 2.
    """
    number = np.arange(height * width)
    i, j = np.divmod(number, width)
    chosen = number <= _mirror(i, height) * width + _mirror(j, width)
    return np.stack([i[chosen], j[chosen]], axis=1)


def multiplicity(height: int, width: int) -> Integers:
    """Return how many entries of a map each distinct frequency stands for, 1 or 2: (K,)."""
    i, j = distinct_frequencies(height, width).T
    return np.where((i == _mirror(i, height)) & (j == _mirror(j, width)), 1, 2)


def centered_map(values: Floats, height: int, width: int) -> Floats:
    """Return the whole centred map, (H, W), of the values at the distinct frequencies, (K,)."""
    i, j = distinct_frequencies(height, width).T
    whole = np.empty((height, width))
    whole[i, j] = whole[_mirror(i, height), _mirror(j, width)] = values
    return np.fft.fftshift(whole)


def _mirror(position: Integers, length: int) -> Integers:
    return -position % length

"""The spatial frequencies of a real image: half of them are distinct, the rest is their mirror image.

On a coarser grid, of `stride` above 1, only every stride-th frequency in each direction is evaluated, zero frequency
among them; what lies between takes the value of the nearest one.

Layouts: FFT layout has zero frequency at (0, 0), a centred map at (H // 2, W // 2).
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def distinct_frequencies(height: int, width: int, stride: int = 1) -> Integers:
    """Return the frequencies (i, j) of the grid, of each mirror pair the one that comes first row by row: (K, 2).

    Notes
    -----
    The mirror image of (i, j) is (-i mod H, -j mod W); K = (H W + those that are their own) / 2 for a
    stride of 1.
    """
    number = np.arange(height * width)
    i, j = np.divmod(number, width)
    chosen = number <= _mirror(i, height) * width + _mirror(j, width)
    chosen &= (_signed(i, height) % stride == 0) & (_signed(j, width) % stride == 0)
    return np.stack([i[chosen], j[chosen]], axis=1)


def multiplicity(height: int, width: int, stride: int = 1) -> Integers:
    """Return how many entries of a map each distinct frequency stands for, at stride 1 one or two: (K,)."""
    return np.bincount(_taken(height, width, stride).ravel())


def centered_map(values: Floats, height: int, width: int, stride: int = 1) -> Floats:
    """Return the whole centred map, (H, W), of the values at the distinct frequencies, (K,)."""
    return np.fft.fftshift(values[_taken(height, width, stride)])


def _taken(height: int, width: int, stride: int) -> Integers:
    """Return which of the distinct frequencies each entry of a map takes its value from: (H, W), FFT layout."""
    i, j = distinct_frequencies(height, width, stride).T
    place = np.empty((height, width), np.int64)
    place[i, j] = place[_mirror(i, height), _mirror(j, width)] = np.arange(len(i))
    taken = place[_nearest(height, stride)][:, _nearest(width, stride)]
    # Half a period in one direction is as near to either side: without this such mirror pairs could differ.
    i, j = distinct_frequencies(height, width).T
    taken[_mirror(i, height), _mirror(j, width)] = taken[i, j]
    return taken


def _nearest(length: int, stride: int) -> Integers:
    """Return for each position the nearest one of the grid, of two the one nearer to zero frequency: (length,)."""
    signed = _signed(np.arange(length), length)
    steps = np.minimum((2 * np.abs(signed) + stride - 1) // (2 * stride), length // 2 // stride)
    return np.sign(signed) * steps * stride % length


def _signed(position: Integers, length: int) -> Integers:
    return np.where(position <= length // 2, position, position - length)


def _mirror(position: Integers, length: int) -> Integers:
    return -position % length

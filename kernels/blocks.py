"""Blocks of whole pixels that a line is averaged over, and which of them each pixel is enlarged from."""

import numpy as np
from numpy.typing import NDArray


def block_edges(size: int, count: int) -> NDArray[np.int64]:
    """Return where blocks begin and end: round(k size / count), halves up, for k = 0..count, exactly."""
    return (2 * np.arange(count + 1) * size + count) // (2 * count)


def nearest_block(size: int, count: int) -> NDArray[np.int64]:
    """Return the block that each of `size` pixels is enlarged from: the one below its center."""
    return (2 * np.arange(size) + 1) * count // (2 * size)

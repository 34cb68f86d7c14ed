"""What lies beyond an image."""

import numpy as np
from numpy.typing import NDArray


def border_index(size: int, before: int, after: int, border: str) -> NDArray[np.int64]:
    """Return which of `size` pixels stands at -before .. size + after - 1; borders as `kernels.checks.BORDERS`."""
    i = np.arange(-before, size + after)
    if border == "nearest":
        return np.clip(i, 0, size - 1)
    period = 2 * size if border == "reflect" else max(1, 2 * size - 2)
    i %= period
    return np.where(i < size, i, period - i - (border == "reflect"))

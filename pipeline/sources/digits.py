"""Source ``digits``: the 1,797 UCI handwritten digits (8x8, grey) that scikit-learn carries."""

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.images import BadImage
from pipeline.sources.base import Entry, Source
from pipeline.sources.packaged import SplitOptions, packaged_file, read_table, row_entries

_SIDE = 8


@cache
def _table() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the pixels, (1797, 64), scaled to 0..255, and the labels, (1797,)."""
    path = packaged_file("digits", "sklearn", "datasets", "data", "digits.csv.gz")
    table = read_table("digits", path, (1797, _SIDE * _SIDE + 1))
    return scale_sixteenths(table[:, :-1]), table[:, -1].copy()


def scale_sixteenths(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Scale 0..16 to 0..255: round(255 v / 16), halves up, in integers."""
    return ((values.astype(np.int64) * 255 + 8) // 16).astype(np.uint8)


class Digits(Source):
    """1,797 real handwritten digits of 8x8 pixels and 17 grey levels; train 1,442, test 355.

    The encoded form of a digit is its 64 bytes, already scaled to 0..255.
    """

    kind = "digits"
    Options = SplitOptions
    options: SplitOptions

    @property
    def classes(self) -> tuple[str, ...]:
        """The ten digits."""
        return tuple("0123456789")

    def entries(self) -> Iterator[Entry]:
        """List the digits in scikit-learn's order."""
        return row_entries(self.kind, _table()[1], self.options.split)

    def read(self, entries: Sequence[Entry]) -> list[bytes]:
        """Return 64 bytes a digit."""
        pixels, _ = _table()
        return [pixels[entry.offset].tobytes() for entry in entries]

    def decode(self, encoded: bytes) -> Image.Image:
        """Return an 8x8 RGB image."""
        if len(encoded) != _SIDE * _SIDE:
            raise BadImage(f"{len(encoded)} bytes instead of {_SIDE * _SIDE}")
        return Image.frombytes("L", (_SIDE, _SIDE), encoded).convert("RGB")

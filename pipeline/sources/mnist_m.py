"""Source ``mnist_m``: the digits of ``mnist5k`` blended with patches of photographs, as MNIST-M is made.

A sample is |patch - digit| in each of three channels; the grey digit is repeated. Ganin & Lempitsky, "Unsupervised
domain adaptation by backpropagation", ICML 2015, section 4.

Departures: MNIST-M blends all 70,000 MNIST digits with patches of BSDS500, here 5,000 digits meet the photographs of
the source ``photos``; and the test digits have photographs of their own, so no pixel is in train and in test. As in
MNIST-M, strokes on mid-grey are faint: |128 - 255| is 127.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from passband.kernels import philox
from passband.pipeline.augment.draws import stream_key
from passband.pipeline.images import BadImage
from passband.pipeline.sources.base import Entry
from passband.pipeline.sources.mnist5k import Mnist5k
from passband.pipeline.sources.packaged import Pixels, fifths
from passband.pipeline.sources.photos import PHOTOGRAPHS, region

TEST_PHOTOGRAPHS = ("brick", "chelsea", "china", "coffee", "coins", "rocket")
"""Photographs behind the test digits."""
TRAIN_PHOTOGRAPHS = tuple(name for name in PHOTOGRAPHS if name not in TEST_PHOTOGRAPHS)
"""Photographs behind the train digits."""


def blend(patch: Pixels, digit: Pixels) -> Pixels:
    """Return |patch - digit| of two uint8 arrays that broadcast."""
    return np.maximum(patch, digit) - np.minimum(patch, digit)


def draw_patch(words: NDArray[np.uint32], names: Sequence[str], side: int) -> Pixels:
    """Return a window of a photograph, (side, side, 3): word 0 picks it from `names`, 1 and 2 the row and column."""
    which, down, across = words.tolist()
    pixels = region(names[which * len(names) >> 32])
    top, left = (
        word * (length - side + 1) >> 32 for word, length in zip((down, across), pixels.shape[:2], strict=True)
    )
    return pixels[top : top + side, left : left + side]


class MnistM(Mnist5k):
    """5,000 handwritten digits on patches of 18 photographs, in colour; train 4,000, test 1,000, rows as in mnist5k.

    The patch of a digit is drawn at the address (source's name; row). The encoded form of a sample is its 2,352 raw
    RGB bytes, row by row.
    """

    kind = "mnist_m"

    def read(self, entries: Sequence[Entry]) -> list[bytes]:
        """Return 3 * 28^2 bytes a sample."""
        pixels, labels = self.table()
        rows = np.array([entry.offset for entry in entries], np.uint32)
        drawn = philox.words(stream_key(0, self.kind, ""), rows, 0, 0, 3)
        test = fifths(labels)
        return [
            self._blended(pixels[row], words, TEST_PHOTOGRAPHS if test[row] else TRAIN_PHOTOGRAPHS)
            for row, words in zip(rows, drawn, strict=True)
        ]

    def _blended(self, digit: Pixels, words: NDArray[np.uint32], names: Sequence[str]) -> bytes:
        patch = draw_patch(words, names, self.side)
        return blend(patch, digit.reshape(self.side, self.side, 1)).tobytes()

    def decode(self, encoded: bytes) -> Image.Image:
        """Return an RGB image of 28 pixels a side."""
        if len(encoded) != 3 * self.side * self.side:
            raise BadImage(f"{len(encoded)} bytes instead of {3 * self.side * self.side}")
        return Image.frombytes("RGB", (self.side, self.side), encoded)

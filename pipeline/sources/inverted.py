"""Source ``inverted``: the digits of ``mnist5k`` in negative, ink dark on light."""

from collections.abc import Sequence

from passband.pipeline.sources.base import Entry
from passband.pipeline.sources.mnist5k import Mnist5k

_NEGATIVE = bytes(range(255, -1, -1))


class Inverted(Mnist5k):
    """5,000 real handwritten digits, every pixel v as 255 - v; train 4,000, test 1,000, rows as in ``mnist5k``.

    The encoded form of a digit is its 784 raw bytes, already inverted.
    """

    kind = "inverted"

    def read(self, entries: Sequence[Entry]) -> list[bytes]:
        """Return 784 bytes a digit."""
        return [content.translate(_NEGATIVE) for content in super().read(entries)]

"""Which parts of a dataset were compared with the manifest, and in what state of their file."""

import numpy as np
from numpy.typing import NDArray

from passband.pipeline.loading.shared import SharedWords


class Checked:
    """Remembers for every unit (a shard, a block of a packed file) the stamp of its file when it was found to be right.

    The workers of a DataLoader share it once `share` was called, so that each unit is compared once, not once a worker.
    """

    def __init__(self, units: int) -> None:
        self._words: NDArray[np.int64] = np.zeros(units, np.int64)
        self._shared: SharedWords | None = None

    def share(self) -> SharedWords:
        """Move to memory that other processes see too, and return it."""
        if self._shared is None:
            shared = SharedWords(len(self._words))
            shared.words[:] = self._words
            self.join(shared)
        assert self._shared is not None
        return self._shared

    def join(self, shared: SharedWords) -> None:
        """Go on with what another process shares, if it is of as many units."""
        if len(shared.words) == len(self._words):
            self._shared, self._words = shared, shared.words

    def note(self, unit: int, stamp: int) -> None:
        """Remember that a unit is right in a file with this stamp."""
        self._words[unit] = stamp

    def knows(self, unit: int, stamp: int) -> bool:
        """Say whether a unit was found to be right in a file with this stamp."""
        return bool(self._words[unit] == stamp)

    def knows_all(self, stamp: int) -> bool:
        """Say whether every unit was found to be right in a file with this stamp."""
        return bool((self._words == stamp).all())

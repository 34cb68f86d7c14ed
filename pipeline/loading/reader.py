"""What a stream needs of a stored format: columns of all samples, and the pixels of any rows."""

import threading
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from passband.pipeline.loading.checked import Checked
from passband.pipeline.loading.files import Files


class Reader(Protocol):
    """Reads a dataset by row: a sample's place in stored order. Columns are (N,) int64.

    A *unit* is what is fetched and checked as one: a shard, or a block of a packed file. `checked` are those that were.
    """

    checked: Checked
    files: Files
    labels: NDArray[np.int64]
    groups: NDArray[np.int64]
    indices: NDArray[np.int64]
    shards: NDArray[np.int64]

    def units(self, rows: NDArray[np.int64]) -> list[int]:
        """Return the units that hold `rows`, each once, in the order in which they come."""

    def prepare(self, unit: int, stop: threading.Event) -> None:
        """Fetch and check a unit, once; raise IntegrityError if it is not as recorded."""

    def fill(self, rows: NDArray[np.int64], out: Mapping[str, NDArray[Any]]) -> None:
        """Decode views of `rows`, whose units are prepared, into view name -> (N, H, W, 3)."""

    def release(self, shard: int) -> None:
        """Drop what was fetched of a shard; it may be prepared again."""

    def keys(self, rows: NDArray[np.int64]) -> list[str]:
        """Return the keys of `rows`."""

    def close(self) -> None:
        """Drop everything."""

"""How large the images of a source are, by the headers of all or of a sample of them."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from passband.jobs.dataset.plan import Plan
from passband.jobs.init.proposal import InitError
from passband.pipeline.imagefiles.magic import read_format
from passband.pipeline.images import BadImage, enlarges
from passband.pipeline.sources import Entry, Source
from passband.pipeline.sources.limits import plain

MOST = 10_000
"""Images whose headers are read at most."""
MOST_S = 4.0
"""Seconds after which no further headers are read."""
_TOGETHER = 64  # images whose keys follow one another: they often lie in one folder, shard or row group
_KEPT = 3


@dataclass
class Survey:
    """What the headers say.

    Attributes
    ----------
    samples : of the source
    looked_at : how many of them were read
    unreadable : of those, how many are no image by their headers
    reasons : of the first of them, with their keys
    formats : format -> images
    """

    samples: int
    looked_at: int = 0
    unreadable: int = 0
    reasons: list[str] = field(default_factory=list)
    formats: Counter[str] = field(default_factory=Counter)
    _sizes: list[tuple[int, int]] = field(default_factory=list)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Height and width of each image that can be read: (N, 2)."""
        return np.array(self._sizes, np.int64).reshape(-1, 2)

    @property
    def is_complete(self) -> bool:
        """Whether all images were looked at."""
        return self.looked_at == self.samples

    def enlarged(self, side: int) -> int:
        """Return how many of the images that were looked at are smaller than `side`."""
        return sum(enlarges(size, (side, side), "crop") for size in self._sizes)

    def add(self, source: Source, key: str, encoded: bytes) -> None:
        """Look at an image; one whose header says nothing is decoded, to learn why."""
        self.looked_at += 1
        try:
            size = source.image_size(encoded) or source.decode(encoded).size[::-1]
        except BadImage as error:
            self.unreadable += 1
            if len(self.reasons) < _KEPT:
                self.reasons.append(f"{plain(key)} ({error.reason})")
            return
        self._sizes.append((size[0], size[1]))
        self.formats[(read_format(encoded) or "other") if source.decodes_files else "raw"] += 1


def survey(plan: Plan, source: Source, checkpoint: Callable[[], None] = lambda: None) -> Survey:
    """Look at the images of `plan`, a plan of `source` alone: up to `MOST` of them, for `MOST_S` seconds.

    Which ones are looked at first is as random as the order of the plan.

    Raises
    ------
    InitError
        If none of them can be read.
    """
    found, begun = Survey(len(plan.table)), time.monotonic()
    for entries in _runs(plan):
        for part in source.parts(entries):
            for entry, encoded in zip(part, source.read(part), strict=True):
                found.add(source, entry.key, encoded)
        checkpoint()
        if found.looked_at >= MOST or time.monotonic() - begun > MOST_S:
            break
    if not found.formats:
        raise InitError(f"none of the {found.looked_at:,} images that were looked at can be read: {found.reasons[0]}")
    return found


def _runs(plan: Plan) -> Iterator[list[Entry]]:
    """Yield the images in runs of such as follow one another by key, the runs in random order."""
    by_key = pc.sort_indices(plan.table["key"]).to_numpy()
    table = plan.table.select(["key", "label", "offset"])
    for run in np.argsort(by_key[::_TOGETHER]):
        rows = by_key[run * _TOGETHER : (run + 1) * _TOGETHER]
        yield [Entry(**row) for row in table.take(rows).to_pylist()]

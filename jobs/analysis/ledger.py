"""What of an analysis is done, what is left, what failed: read from the records, then kept up by the driver."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from passband.jobs.analysis.counting import MapName
from passband.jobs.analysis.envelope import Envelope
from passband.jobs.analysis.worker import BlockRecord, BlockTask, block_name, read_block
from passband.jobs.executors import drive
from passband.pipeline.errors import PassbandError
from passband.pipeline.store import Store

Place = tuple[MapName, int]


class BlocksFailedError(PassbandError):
    """Blocks that failed for good; the message names each with its cause."""


@dataclass
class Ledger(drive.Ledger[Place, BlockRecord]):
    """The state of an analysis."""

    envelope: Envelope
    maps: list[MapName]
    found: int = 0  # distinct frequencies, of all maps, that were done before

    @property
    def frequencies(self) -> int:
        """Distinct frequencies of all maps."""
        return len(self.maps) * self.envelope.frequencies

    @property
    def frequencies_done(self) -> int:
        """Those that are evaluated."""
        return sum(record.stop - record.start for record in self.done.values())

    def place_of(self, task: BlockTask) -> Place:
        """Return map and number of the task's block."""
        return task.map, task.block

    def raise_failed(self) -> None:
        """Raise if blocks failed for good."""
        if self.failed:
            lines = [f"  {cause}" for _, cause in sorted(self.failed.items())]
            noun = "block" if len(lines) == 1 else "blocks"
            raise BlocksFailedError("\n".join([f"{len(lines)} {noun} failed; what is done is kept:", *lines]))

    def wrong(self, name: MapName) -> NDArray[np.int64]:
        """Return the counts of a map that is done: (K, classes)."""
        return np.concatenate([np.array(record.wrong, np.int64) for record in self._records(name)])

    def by_image(self, name: MapName) -> NDArray[np.int64]:
        """Return how many entries of a map misclassify each image: (n,); zeros without a subset."""
        total = np.zeros(self.envelope.samples, np.int64)
        for record in self._records(name):
            total += 0 if record.by_image is None else np.array(record.by_image, np.int64)
        return total

    def _records(self, name: MapName) -> list[BlockRecord]:
        return [self.done[name, block] for block in range(len(self.envelope.blocks))]


def read_ledger(store: Store, envelope: Envelope, maps: list[MapName], failure_budget: int) -> Ledger:
    """Read which blocks are done; a record that does not count is removed."""
    places = list(product(maps, range(len(envelope.blocks))))
    ledger = Ledger(envelope, maps, places=places, budget=failure_budget)
    for place in places:
        record = read_block(store, envelope.identity, *place)
        if record is not None and (record.start, record.stop) == envelope.blocks[place[1]]:
            ledger.done[place] = record
        else:
            store.delete(block_name(*place))
    ledger.found = ledger.frequencies_done
    return ledger

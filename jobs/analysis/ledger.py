"""What of an analysis is done, what is left, what failed: read from the records, then kept up by the driver."""

from dataclasses import dataclass

from passband.jobs.analysis.envelope import Envelope
from passband.jobs.analysis.record import BlockRecord, block_name, read_block
from passband.jobs.analysis.worker import BlockTask
from passband.jobs.executors import drive
from passband.pipeline.errors import PassbandError
from passband.pipeline.store import Store

Place = tuple[str, int]


class BlocksFailedError(PassbandError):
    """Blocks that failed for good; the message names each with its cause."""


@dataclass
class Ledger(drive.Ledger[Place, BlockRecord]):
    """The state of an analysis."""

    envelope: Envelope
    found: int = 0  # items, of all parts, that were done before

    @property
    def items(self) -> int:
        """Items of all parts."""
        return sum(self.envelope.sizes.values())

    @property
    def items_done(self) -> int:
        """Those that are evaluated."""
        return sum(record.stop - record.start for record in self.done.values())

    def place_of(self, task: BlockTask) -> Place:
        """Return part and number of the task's block."""
        return task.part, task.block

    def raise_failed(self) -> None:
        """Raise if blocks failed for good."""
        if self.failed:
            lines = [f"  {cause}" for _, cause in sorted(self.failed.items())]
            noun = "block" if len(lines) == 1 else "blocks"
            raise BlocksFailedError("\n".join([f"{len(lines)} {noun} failed; what is done is kept:", *lines]))

    def records(self) -> dict[str, list[BlockRecord]]:
        """Return the records of an analysis that is done: part -> its blocks, in order."""
        return {
            part: [self.done[part, block] for block in range(len(self.envelope.blocks(part)))]
            for part in self.envelope.sizes
        }


def read_ledger(store: Store, envelope: Envelope, failure_budget: int) -> Ledger:
    """Read which blocks are done; a record that does not count is removed."""
    ranges = dict(envelope.places())
    ledger, kind = Ledger(envelope, places=list(ranges), budget=failure_budget), envelope.study().Record
    for place, wanted in ranges.items():
        record = read_block(store, kind, envelope.identity, *place)
        if record is not None and (record.start, record.stop) == wanted:
            ledger.done[place] = record
        else:
            store.delete(block_name(*place))
    ledger.found = ledger.items_done
    return ledger

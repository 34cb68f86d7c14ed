"""The part of a rank's batches that is a DataLoader worker's."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from torch.utils.data import get_worker_info

T = TypeVar("T")


@dataclass(frozen=True)
class Share:
    """Worker `number` of `of` has every `of`-th batch; a DataLoader asks its workers in turn, which restores the order.

    Attributes
    ----------
    is_worker : bool
        Whether this process is a worker of a DataLoader; else it has all.
    generation : int
        The same for all workers of one start of a DataLoader, and another at the next.
    """

    number: int = 0
    of: int = 1
    is_worker: bool = False
    generation: int = 0

    def part(self, pieces: Sequence[T]) -> Sequence[T]:
        """Return what is this worker's of all `pieces`."""
        return pieces[self.number :: self.of]


def current_share() -> Share:
    """Return the share of this process: all, unless it is a DataLoader's worker."""
    worker = get_worker_info()
    # A DataLoader draws one seed at each start and adds the worker's number to it.
    return Share() if worker is None else Share(worker.id, worker.num_workers, True, worker.seed - worker.id)

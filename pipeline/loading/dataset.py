"""A stream as a dataset of torch: for a DataLoader, and for one that saves its state."""

from collections.abc import Iterator
from typing import Any, Protocol

from torch.utils.data import IterableDataset

from passband.pipeline.errors import PassbandError
from passband.pipeline.loading.batch import Batch
from passband.pipeline.loading.share import Share, current_share
from passband.pipeline.loading.turns import Turns


class Batches(Protocol):
    """What a dataset needs of the stream that it is made of."""

    @property
    def epoch(self) -> int:
        """The epoch in which the stream stands."""

    @property
    def num_draws(self) -> int:
        """Samples that an epoch draws, of all ranks."""

    def __len__(self) -> int: ...

    def share_turns(self) -> Turns:
        """Return what agrees with the workers of a DataLoader on the epoch."""

    def stand_at(self, epoch: int, samples: int) -> None:
        """Stand at a place."""

    def set_epoch(self, epoch: int) -> None:
        """Stand at the first sample of an epoch."""

    def rest(self) -> Iterator[Batch]:
        """Iterate over the rest of the epoch."""

    def state_dict(self) -> dict[str, Any]:
        """Return the position."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Stand at a saved position."""


class StreamDataset(IterableDataset[Batch]):
    """The batches of a stream, for ``DataLoader(dataset, batch_size=None)``. Made by `Stream.as_dataset`.

    Every ``iter()`` of a DataLoader begins an epoch: the first where the stream stood, which may be within one, and
    each that follows the next epoch, whether the last one was read to its end or not. One that handed nothing out to
    this process does not count. Workers of a DataLoader share the batches and agree on the epoch; the order is that
    without workers. `set_epoch` and `load_state_dict`, of the dataset or its stream, say where the next one begins.
    """

    def __init__(self, stream: Batches) -> None:
        self.stream = stream
        self._turns = stream.share_turns()
        self._restored = False
        self._pass: Pass | None = None

    def __len__(self) -> int:
        """Return the batches of one rank in a whole epoch."""
        return len(self.stream)

    def __repr__(self) -> str:
        return f"StreamDataset({self.stream!r})"

    def __iter__(self) -> Iterator[Batch]:
        share = current_share()
        if self._restored:
            self._restored = False
        else:
            epoch, samples = self._turns.next(share)
            self.stream.stand_at(epoch, samples)
        if share.is_worker:
            self._turns.begin(share, self.stream.epoch)
        self._pass = Pass(self, share)
        return self._pass

    def begin(self, share: Share, epoch: int) -> None:
        """Have the next iteration of this process begin the epoch after `epoch`."""
        self._turns.begin(share, epoch)

    def set_epoch(self, epoch: int) -> None:
        """Have the next iteration begin at the first sample of `epoch`, in workers that go on living too."""
        self.stream.set_epoch(epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return the position; in a worker of a StatefulDataLoader that of its share.

        Raises
        ------
        PassbandError
            If workers of a DataLoader have it, which only torchdata's StatefulDataLoader asks.
        """
        share = current_share()
        if not share.is_worker and self._turns.in_workers:
            raise PassbandError(
                "the position is known to the workers of the DataLoader alone; save the state of torchdata's "
                "StatefulDataLoader instead, or read with num_workers=0"
            )
        if share.is_worker and self._pass is not None and self._pass.ended:
            return self._pass.end
        return self.stream.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Have the next iteration go on at a saved position; errors as in `Stream.load_state_dict`."""
        self.stream.load_state_dict(state)
        self._restored = current_share().is_worker  # else the stream has told the turns

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_pass": None}


class Pass(Iterator[Batch]):
    """One iteration over a dataset.

    Attributes
    ----------
    ended : bool, whether all was handed out
    end : the state then. A worker that goes on from there has nothing left of the epoch, and does not begin the next.
    """

    def __init__(self, dataset: StreamDataset, share: Share) -> None:
        self.ended = False
        self.end = dataset.stream.state_dict() | {"samples": dataset.stream.num_draws}
        self._dataset = dataset
        self._share = share
        self._epoch = dataset.stream.epoch
        self._begun = share.is_worker
        self._batches = dataset.stream.rest()

    def __next__(self) -> Batch:
        if not self._begun:
            self._begun = True
            self._dataset.begin(self._share, self._epoch)
        try:
            return next(self._batches)
        except StopIteration:
            self.ended = True
            raise

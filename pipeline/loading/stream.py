"""The stream: an order, a topology and a reader put together, with a position that can be saved."""

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from passband.pipeline.errors import PassbandError
from passband.pipeline.loading.building import Delivery, Epoch
from passband.pipeline.loading.facts import Facts
from passband.pipeline.loading.iteration import Iteration
from passband.pipeline.loading.position import read_position, require_count, write_position
from passband.pipeline.loading.presenting import Presentation
from passband.pipeline.loading.ranks import Ranks
from passband.pipeline.loading.share import current_share
from passband.pipeline.loading.source import Source
from passband.pipeline.loading.topology import Slice, Topology
from passband.pipeline.loading.turns import Turns

if TYPE_CHECKING:
    from passband.pipeline.loading.dataset import StreamDataset

_SHOWN_VIEWS = 6


class Stream(Facts):
    """Batches of a dataset, epoch after epoch. Made by `open_stream`.

    Iterating goes on from the current position to the end of the epoch, and moves to the start of the next one when
    the epoch is exhausted, or when it is iterated again after its last batch. One iterator is live at a time: another
    one, `set_epoch` and `load_state_dict` end it.

    A worker of a DataLoader that iterates gets its share of the rank's batches. A stream can be pickled, with its
    position; what it reads is opened again when it is first used.

    Attributes
    ----------
    manifest, views, classes, labels, ... : see `Facts`
    epoch, samples : int
        The position: the epoch, and how many of its `num_draws` all ranks together have handed out.
    """

    def __init__(
        self,
        source: Source,
        ranks: Ranks,
        batch_size: int,
        drop_last: bool,
        delivery: Delivery,
        presentation: Presentation,
    ) -> None:
        self.epoch = self.samples = 0
        self._begun = 0  # where the batches that a DataLoader's workers share are counted from
        self._source, self._delivery, self._presentation = source, delivery, presentation
        self._ranks, self._batch_size, self._drop_last = ranks, batch_size, drop_last
        self._live: weakref.ref[Iteration] | None = None
        self._turns: Turns | None = None
        self._closed = False

    def __len__(self) -> int:
        """Return the batches of one rank in a whole epoch."""
        return self._topology.num_batches(self.num_draws)

    def __repr__(self) -> str:
        where = f"{self._batch_size} a batch, {self._ranks.current()}, epoch {self.epoch}"
        if self._closed or not self._source.is_open:
            return f"<Stream of {self._source.request.path}, {'closed' if self._closed else 'not opened yet'}, {where}>"
        shown = ", ".join(self.views) if len(self.views) <= _SHOWN_VIEWS else f"{len(self.views)}"
        name, samples = self.manifest.name, f"{self.num_samples:,} samples"
        drawn = f"{self.samples:,} of {self.num_draws:,} drawn"
        return f"<Stream of {name}: {samples}, views {shown}, {where}, {drawn}>"

    def __iter__(self) -> Iteration:
        """Iterate from the current position to the end of the epoch; from that of its last batch, over the next one."""
        self._require_open()
        everyones = list(self._topology.slices(self._begun, self.num_draws))
        mine = current_share().part(everyones)
        if not self._left(mine) and (mine or not everyones):  # a worker may have none, of which it is not at the end
            self.stand_at(self.epoch + 1, 0)
        return self.rest()

    def rest(self) -> Iteration:
        """Iterate from the current position to the end of the epoch, even if there is nothing left of it."""
        self._require_open()
        self.require_batches()
        self.end_iteration()
        opened, request, share = self._source.opened, self._source.request, current_share()
        order, draws = opened.order, opened.order.draws(self.epoch)
        epoch = Epoch(
            opened.reader,
            self.views_of(self.epoch),
            self.manifest.shape,
            draws // order.views,
            draws % order.views if request.views_as_samples else None,
            order.window is not None,
            self._delivery.within(share),
            self._presentation,
        )
        everyones = list(self._topology.slices(self._begun, self.num_draws))
        live = Iteration(self, epoch.batches(self._left(share.part(everyones))))
        self._live = weakref.ref(live)
        return live

    def set_epoch(self, epoch: int) -> None:
        """Go to the first sample of `epoch`."""
        require_count("epoch", epoch)
        self.views_of(epoch)
        self.end_iteration()
        self.stand_at(epoch, 0)
        self._tell_turns()

    def state_dict(self) -> dict[str, Any]:
        """Return the position as JSON: what was handed out counts, not what was prefetched."""
        return write_position(self.epoch, self.samples, self._begun, self.describe())

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to a saved position; batch size, ranks, format and delivery may differ from those it was saved with.

        Raises
        ------
        PassbandError
            If the state is of another dataset, seed or order, or is not a state; it names what differs.
        """
        position = read_position(state, self.describe(), self.num_draws)
        self.end_iteration()
        self.epoch, self.samples, self._begun = position
        self._tell_turns()

    def stand_at(self, epoch: int, samples: int) -> None:
        """Take a position."""
        self.epoch, self.samples, self._begun = epoch, samples, samples

    def advance(self, samples: int) -> None:
        """Note that `samples` draws of the epoch are handed out now."""
        self.samples = samples
        if not current_share().is_worker:
            self._begun = samples

    def as_dataset(self) -> "StreamDataset":
        """Return this stream as a dataset of torch, for ``DataLoader(dataset, batch_size=None)``."""
        from passband.pipeline.loading.dataset import StreamDataset

        return StreamDataset(self)

    def share_turns(self) -> Turns:
        """Return what the workers of a DataLoader agree on epochs by; what is compared and fetched they share too."""
        if self._turns is None:
            self._source.share()
            self._turns = Turns(self.epoch, self.samples)
        return self._turns

    def in_stored_order(self) -> "Stream":
        """Return a stream of the first view of every sample, once, in stored order; it is closed with this one.

        For a look at the whole training set, which an epoch of this stream need not show: `drop_last` leaves samples
        out, and so does balancing.
        """
        source = self._source.in_stored_order()
        return Stream(source, self._ranks, self._batch_size, False, self._delivery, self._presentation)

    def close(self) -> None:
        """End iterating, close files and remove what was fetched; the stream cannot be used again."""
        self._closed = True
        self.end_iteration()
        self._source.close()

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_live": None, "_ranks": self._ranks.current()}

    def end_iteration(self) -> None:
        """End the live iterator, if there is one, and its threads."""
        live = self._live() if self._live is not None else None
        self._live = None
        if live is not None:
            live.close()

    def owns(self, iteration: Iteration) -> bool:
        """Say whether `iteration` is the live one."""
        return self._live is not None and self._live() is iteration

    def require_batches(self) -> None:
        """Raise PassbandError if an epoch would be empty."""
        if not self._drop_last or len(self):
            return
        what = "views of samples" if self._source.request.views_as_samples else "samples"
        raise PassbandError(
            f"{self.manifest.name} has {self.num_draws} {what}, fewer than the global batch of "
            f"{self._batch_size} x {self._topology.world_size} ranks, and drop_last drops an incomplete batch: "
            "nothing would be left; give a smaller batch_size or drop_last=False"
        )

    @property
    def _topology(self) -> Topology:
        ranks = self._ranks.current()
        return Topology(self._batch_size, ranks.rank, ranks.world_size, self._drop_last)

    def _left(self, pieces: Sequence[Slice]) -> list[Slice]:
        return [piece for piece in pieces if piece.end > self.samples]

    def _tell_turns(self) -> None:
        if self._turns is not None and not current_share().is_worker:
            self._turns.move(self.epoch, self.samples)

    def _require_open(self) -> None:
        if self._closed:
            raise PassbandError(f"the stream of {self.manifest.name} is closed")

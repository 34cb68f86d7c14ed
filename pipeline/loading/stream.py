"""The stream: an order, a topology and a reader put together, with a position that can be saved."""

import weakref
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.errors import PassbandError
from pipeline.loading.batch import Batch
from pipeline.loading.building import IMAGE, Delivery, Epoch
from pipeline.loading.order import Order
from pipeline.loading.reader import Reader
from pipeline.loading.topology import Slice, Topology
from pipeline.manifest import Manifest, ViewEntry


class Stream:
    """Batches of a dataset, epoch after epoch. Made by `open_stream`.

    Iterating goes on from the current position to the end of the epoch, and moves to the start of the next one when
    the epoch is exhausted. One iterator is live at a time: another one, `set_epoch` and `load_state_dict` end it.

    Attributes
    ----------
    manifest : Manifest
    views : names of the views, in the order asked for
    image_names : names of the images in a batch: the views, or ``image`` where views are samples of their own
    labels, groups, indices : (num_samples,) int64 arrays over all samples in stored order
    epoch, samples : int
        The position: the epoch, and how many of its `num_draws` all ranks together have handed out.
    """

    def __init__(
        self,
        manifest: Manifest,
        reader: Reader,
        views: Sequence[ViewEntry],
        order: Order,
        topology: Topology,
        delivery: Delivery,
        *,
        views_by_epoch: bool = False,
        views_as_samples: bool = False,
    ) -> None:
        self.manifest = manifest
        self.views = tuple(view.name for view in views)
        self.labels, self.groups, self.indices = reader.labels, reader.groups, reader.indices
        self.epoch = self.samples = 0
        self._reader, self._order, self._topology, self._delivery = reader, order, topology, delivery
        self._views = tuple(views)
        self._views_by_epoch = views_by_epoch
        self._views_as_samples = views_as_samples
        self.image_names = (IMAGE,) if views_as_samples else self.views
        self._live: weakref.ref[Iteration] | None = None
        self._closed = False
        if topology.drop_last and not len(self):
            what = "views of samples" if views_as_samples else "samples"
            raise PassbandError(
                f"{manifest.name} has {self.num_draws} {what}, fewer than the global batch of "
                f"{topology.batch_size} x {topology.world_size} ranks, and drop_last drops an incomplete batch: "
                "nothing would be left; give a smaller batch_size or drop_last=False"
            )

    @property
    def num_samples(self) -> int:
        """Number of samples of the dataset."""
        return len(self.labels)

    @property
    def num_draws(self) -> int:
        """Number of draws in an epoch, of all ranks together: of samples, or of views that are samples of their own."""
        return self._order.num_draws

    def __len__(self) -> int:
        """Return the batches of one rank in a whole epoch."""
        return self._topology.num_batches(self.num_draws)

    def __iter__(self) -> Iterator[Batch]:
        """Iterate from the current position to the end of the epoch."""
        if self._closed:
            raise PassbandError(f"the stream of {self.manifest.name} is closed")
        self.end_iteration()
        draws = self._order.draws(self.epoch)
        epoch = Epoch(
            self._reader,
            self.views_of(self.epoch),
            self.manifest.shape,
            draws // self._order.views,
            draws % self._order.views if self._views_as_samples else None,
            self._order.window is not None,
            self._delivery,
        )
        pieces = list(self._topology.slices(self.samples, self.num_draws))
        live = Iteration(self, epoch.batches(pieces))
        self._live = weakref.ref(live)
        return live

    def views_of(self, epoch: int) -> tuple[ViewEntry, ...]:
        """Return the views that `epoch` reads; raise PassbandError if there are none for it."""
        if not self._views_by_epoch:
            return self._views
        if epoch >= len(self._views):
            names = ", ".join(self.views)
            raise PassbandError(
                f"views_by_epoch: epoch {epoch} has no view; the {len(self._views)} views {names} serve epochs "
                f"0 to {len(self._views) - 1}"
            )
        return self._views[epoch : epoch + 1]

    def set_epoch(self, epoch: int) -> None:
        """Go to the first sample of `epoch`."""
        _require_count("epoch", epoch)
        self.views_of(epoch)
        self.end_iteration()
        self.epoch, self.samples = epoch, 0

    def state_dict(self) -> dict[str, Any]:
        """Return the position as JSON: what was handed out counts, not what was prefetched."""
        return {"epoch": self.epoch, "samples": self.samples, **self._options()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to a saved position; batch size, ranks, format and delivery may differ from those it was saved with.

        Raises
        ------
        PassbandError
            If the state is of another dataset, seed or order, or is not a state; it names what differs.
        """
        for name, own in self._options().items():
            if name not in state or state[name] != own:
                given = repr(state[name]) if name in state else "nothing"
                raise PassbandError(f"the state is of another stream: its {name} is {given}, this one has {own!r}")
        epoch: Any = state.get("epoch")
        samples: Any = state.get("samples")
        _require_count("epoch", epoch)
        _require_count("samples", samples, self.num_draws)
        self.end_iteration()
        self.epoch, self.samples = epoch, samples

    def in_stored_order(self) -> "Stream":
        """Return a stream of the first view of every sample, once, in stored order; it is closed with this one.

        For a look at the whole training set, which an epoch of this stream need not show: `drop_last` leaves samples
        out, and so does balancing.
        """
        order = replace(self._order, shuffle=False, balance=None, strata=None, views=1)
        topology = replace(self._topology, drop_last=False)
        return Stream(self.manifest, self._reader, self._views[:1], order, topology, self._delivery)

    def keys(self, indices: Sequence[int] | NDArray[np.int64] | torch.Tensor) -> list[str]:
        """Return the keys of the samples with these plan indices; raise PassbandError for one that is not there."""
        wanted = np.asarray(indices, np.int64).reshape(-1)
        rows = np.searchsorted(self.indices, wanted)
        absent = wanted[self.indices[np.minimum(rows, self.num_samples - 1)] != wanted]
        if len(absent):
            raise PassbandError(f"{self.manifest.name} has no sample with index {absent[0]}")
        return self._reader.keys(rows)

    def close(self) -> None:
        """End iterating and drop what was mapped or fetched; the stream cannot be used again."""
        self._closed = True
        self.end_iteration()
        self._reader.close()

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def end_iteration(self) -> None:
        """End the live iterator, if there is one, and its threads."""
        live = self._live() if self._live is not None else None
        self._live = None
        if live is not None:
            live.close()

    def _options(self) -> dict[str, Any]:
        options = {**self._order.describe(), "views": list(self.views), "views_by_epoch": self._views_by_epoch}
        return options | ({"views_as_samples": True} if self._views_as_samples else {})

    def owns(self, iteration: "Iteration") -> bool:
        """Say whether `iteration` is the live one."""
        return self._live is not None and self._live() is iteration


class Iteration(Iterator[Batch]):
    """The rest of one epoch; moves the stream's position as it hands batches out."""

    def __init__(self, stream: Stream, batches: Generator[tuple[Slice, Batch], None, None]) -> None:
        self._stream = stream
        self._batches = batches
        self._exhausted = False

    def __next__(self) -> Batch:
        stream = self._stream
        if self._exhausted:
            raise StopIteration
        if not stream.owns(self):
            raise PassbandError(
                "this iterator has ended: its stream failed, was closed, moved or iterated anew; call iter() again"
            )
        try:
            piece, batch = next(self._batches)
        except StopIteration:
            self._exhausted = True
            stream.epoch, stream.samples = stream.epoch + 1, 0
            raise
        except BaseException:
            stream.end_iteration()
            raise
        stream.samples = piece.end
        return batch

    def close(self) -> None:
        """End the threads that work ahead."""
        self._batches.close()


def _require_count(name: str, value: Any, most: int | None = None) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0 or (most is not None and value > most):
        allowed = "0 or more" if most is None else f"0 to {most}"
        raise PassbandError(f"{name} is {value!r}; it must be an integer, {allowed}")

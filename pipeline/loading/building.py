"""The batches of one epoch: drawn rows in, tensors out."""

import os
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from passband.pipeline.errors import PassbandError
from passband.pipeline.loading.ahead import Ahead
from passband.pipeline.loading.batch import Batch
from passband.pipeline.loading.presenting import Presentation
from passband.pipeline.loading.reader import Reader
from passband.pipeline.loading.share import Share
from passband.pipeline.loading.topology import Slice
from passband.pipeline.records import ViewEntry

IMAGE = "image"
"""Name of the images of a batch whose views are samples of their own."""
_MAX_WORKERS = 8


@dataclass(frozen=True)
class Delivery:
    """How batches come about; it changes no pixel.

    Attributes
    ----------
    workers, prefetch : int, threads of a rank that decode, and batches made ahead
    pinned : bool, whether batches lie in page-locked memory
    """

    workers: int
    prefetch: int
    pinned: bool

    @classmethod
    def chosen(cls, workers: int | None, prefetch: int, pin_memory: bool | None) -> "Delivery":
        """Return the delivery asked for, None replaced by what suits the machine."""
        usable = min(len(os.sched_getaffinity(0)), _MAX_WORKERS) if workers is None else workers
        for name, value in (("workers", usable), ("prefetch", prefetch)):
            if not isinstance(value, int) or value < 1:
                raise PassbandError(f"{name} is {value!r}; it must be an integer of at least 1")
        if pin_memory and not torch.cuda.is_available():
            raise PassbandError("pin_memory=True needs CUDA, and there is none; None pins where there is")
        return cls(usable, prefetch, torch.cuda.is_available() if pin_memory is None else pin_memory)

    def within(self, share: Share) -> "Delivery":
        """Return the part of a DataLoader's worker: its share of the threads and of the batches ahead.

        It pins nothing: what it makes is sent to another process, where the DataLoader pins.
        """
        if not share.is_worker:
            return self
        return Delivery(max(1, self.workers // share.of), -(-self.prefetch // share.of), False)


@dataclass(frozen=True)
class Epoch:
    """What is left of an epoch.

    Attributes
    ----------
    views : what to read
    shape_chw : the images'
    rows : (N,) int64, the samples of the whole epoch in the global order
    chosen : (N,) int64 or None
        Where views are samples of their own: the place in `views` of the one that each draw shows.
    drop_past : bool
        Drop a fetched shard when no draw ahead needs it.
    presentation : what is done to the images of a view
    """

    reader: Reader
    views: Sequence[ViewEntry]
    shape_chw: Sequence[int]
    rows: NDArray[np.int64]
    chosen: NDArray[np.int64] | None
    drop_past: bool
    delivery: Delivery
    presentation: Presentation

    def batches(self, pieces: Sequence[Slice]) -> Generator[tuple[Slice, Batch], None, None]:
        """Yield the batch of every piece, in order, made ahead on threads that end with the iterator."""
        ahead = Ahead(self.units, self.reader.prepare, self.build, self.delivery.workers, self.delivery.prefetch)
        past = self._past_shards() if self.drop_past else iter(())
        waiting = next(past, None)
        with closing(ahead.results(pieces)) as results:
            for piece, batch in results:
                while waiting is not None and waiting[0] < piece.end:
                    self.reader.release(waiting[1])
                    waiting = next(past, None)
                yield piece, batch

    def units(self, piece: Slice) -> list[int]:
        """Return the units that a piece needs."""
        return self.reader.units(self.rows[piece.start : piece.stop])

    def build(self, piece: Slice) -> Batch:
        """Decode the batch of a piece whose units are prepared."""
        rows = self.rows[piece.start : piece.stop]
        reader, pinned = self.reader, self.delivery.pinned
        columns = [reader.labels[rows], reader.groups[rows], reader.indices[rows], np.arange(piece.start, piece.stop)]
        if self.chosen is None:
            pixels = {view.name: self._empty(view, len(rows), pinned) for view in self.views}
            reader.fill(rows, {name: tensor.numpy() for name, tensor in pixels.items()})
        else:
            columns.append(self.chosen[piece.start : piece.stop])
            pixels = {IMAGE: self._one_each(rows, columns[-1])}
        tensors = [torch.from_numpy(column) for column in columns]
        images = {name: self.presentation.shown(name, tensor.permute(0, 3, 1, 2)) for name, tensor in pixels.items()}
        batch = Batch(images, *tensors)
        return batch.pin_memory() if pinned else batch

    def _one_each(self, rows: NDArray[np.int64], chosen: NDArray[np.int64]) -> torch.Tensor:
        """Return one view of each of `rows`, the one at `chosen`: (N, H, W, C)."""
        out = self._empty(self.views[0], len(rows), self.delivery.pinned)
        for number, view in enumerate(self.views):
            places = np.flatnonzero(chosen == number)
            if len(places):
                pixels = self._empty(view, len(places), False).numpy()
                self.reader.fill(rows[places], {view.name: pixels})
                out.numpy()[places] = pixels
        return out

    def _empty(self, view: ViewEntry, count: int, pinned: bool) -> torch.Tensor:
        channels, height, width = self.shape_chw
        return torch.empty((count, height, width, channels), dtype=getattr(torch, view.dtype), pin_memory=pinned)

    def _past_shards(self) -> Generator[tuple[int, int], None, None]:
        """Yield (place of its last draw, shard) for every shard, in the order in which they are done with."""
        shards = self.reader.shards[self.rows]
        stored, backwards = np.unique(shards[::-1], return_index=True)
        last = len(shards) - 1 - backwards
        for turn in np.argsort(last).tolist():
            yield int(last[turn]), int(stored[turn])

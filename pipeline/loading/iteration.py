"""One iteration over the rest of an epoch."""

import os
from collections.abc import Generator, Iterator
from typing import Protocol

from passband.pipeline.errors import PassbandError
from passband.pipeline.loading.batch import Batch
from passband.pipeline.loading.topology import Slice


class Reading(Protocol):
    """What an iteration moves on: the stream that it reads."""

    @property
    def epoch(self) -> int:
        """The epoch that is read."""

    def owns(self, iteration: "Iteration") -> bool:
        """Say whether this is the stream's present iteration."""

    def stand_at(self, epoch: int, samples: int) -> None:
        """Stand at a place; the present iteration ends."""

    def advance(self, samples: int) -> None:
        """Take note of how many samples of the epoch were handed out."""

    def end_iteration(self) -> None:
        """End the present iteration."""


class Iteration(Iterator[Batch]):
    """The rest of one epoch; moves the stream's position as it hands batches out."""

    def __init__(self, stream: Reading, batches: Generator[tuple[Slice, Batch], None, None]) -> None:
        self._stream = stream
        self._batches = batches
        self._exhausted = False
        self._process = os.getpid()

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
            stream.stand_at(stream.epoch + 1, 0)
            raise
        except BaseException:
            stream.end_iteration()
            raise
        stream.advance(piece.end)
        return batch

    def close(self) -> None:
        """End the threads that work ahead; in a process that forked meanwhile there are none."""
        if self._process == os.getpid():
            self._batches.close()

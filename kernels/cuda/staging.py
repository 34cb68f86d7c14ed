"""Pixels to the device and back while it computes: page-locked buffers, a stream for each way and one for the kernels.

What a copy reads or writes is held until it is done. Buffers that a copy fills belong to the stream of the copy, so
that memory which kernels of an earlier batch still use is never handed to it.
"""

from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from passband.kernels.cuda.arrays import Array
from passband.kernels.cuda.device import Event, current


class Download:
    """A copy to the host that is under way."""

    def __init__(self, source: Array, target: NDArray[Any], done: Event) -> None:
        self._source, self._target, self._done = source, target, done

    def result(self) -> NDArray[Any]:
        """Wait for the copy and return it: an array of NumPy in page-locked memory."""
        self._done.synchronize()
        self._source = None
        return self._target


class Staging:
    """The streams of one thread that feeds the device.

    Kernels belong inside `computing`; an upload is complete before any kernel that is started after it, a download
    holds what the kernels before it made.
    """

    def __init__(self) -> None:
        self._device = current()
        self._up, self._compute, self._down = (self._device.stream() for _ in range(3))
        self._held: list[tuple[Event, Any, Any]] = []

    def computing(self) -> AbstractContextManager[Any]:
        """Let kernels go to the compute stream meanwhile."""
        return self._compute

    def upload(self, array: NDArray[Any]) -> Array:
        """Return an array of the device; to be called inside `computing`."""
        device = self._device
        source = device.pinned(array.shape, array.dtype)
        np.copyto(source, array)
        with self._up:
            target = device.xp.empty(array.shape, array.dtype)
        if array.size:
            device.copy(target, source, self._up)
        arrived = self._up.record()
        self._compute.wait_event(arrived)
        self._held.append((arrived, source, target))
        return target

    def download(self, array: Array) -> Download:
        """Begin to copy an array to the host; to be called inside `computing`."""
        target = self._device.pinned(array.shape, array.dtype)
        self._down.wait_event(self._compute.record())
        if array.size:
            self._device.copy(target, array, self._down)
        return Download(array, target, self._down.record())

    def forget(self, count: int) -> None:
        """Let go what the `count` oldest uploads hold; all that was computed from them must have been downloaded."""
        del self._held[:count]

    def abandon(self) -> None:
        """Wait for all that was begun, so that nobody reads or fills what nothing holds any more; let go all of it."""
        for stream in (self._up, self._compute, self._down):
            stream.synchronize()
        self._held.clear()

"""Devices that a dataset is generated on in the tests: the CPU in a GPU's place, with the faults a GPU has."""

import gc
import os
from contextlib import suppress
from pathlib import Path

from tests.cuda_host.array import HostArray
from tests.cuda_host.device import HostDevice, HostFailure, HostOutOfMemory


def alive():
    """Return how many images the device holds, in arrays of (N, any, any, any)."""
    arrays = [found for found in gc.get_objects() if issubclass(type(found), HostArray)]
    return sum(len(array) for array in arrays if array.ndim == 4)


class Small(HostDevice):
    """Has no memory for more than 20 images of 16 x 16 x 3 floats at once.

    Attributes
    ----------
    kept : list of int
        Images that it held beside those of before, at each time when memory was given back.
    """

    def __init__(self):
        super().__init__()
        self.kept, self._before = [], alive()

    def free_memory(self):
        """Look at what cannot be given back."""
        self.kept.append(alive() - self._before)

    def kernel(self, source, name, options=(), shared_bytes=0):
        """Refuse to work on what does not fit."""
        start = super().kernel(source, name, options, shared_bytes)

        def launch(grid, block, args, *, shared_mem=0):
            for argument in args:
                if isinstance(argument, HostArray) and argument.ndim == 4:
                    self._checked(argument)
            start(grid, block, args, shared_mem=shared_mem)

        return launch

    def _checked(self, array):
        if array.nbytes > 20 * 16 * 16 * 3 * 4:
            raise HostOutOfMemory(f"{array.nbytes} bytes")


class Broken(HostDevice):
    """Fails for good in the process that is the first to start `launches` kernels; the others are spared.

    Its name tells which GPUs Ray lets the process see.

    Parameters
    ----------
    marker : str
        File that the first one writes its process id to.
    """

    def __init__(self, marker, launches=40):
        super().__init__()
        self._marker, self._least, self._lost = Path(marker), launches, False
        self.name = f"host {os.environ.get('CUDA_VISIBLE_DEVICES')}"

    def kernel(self, source, name, options=(), shared_bytes=0):
        """Fail, or start as ever."""
        if not self._lost and len(self.launches) >= self._least:
            with suppress(FileExistsError), self._marker.open("x") as file:
                file.write(str(os.getpid()))
                self._lost = True
        if self._lost:
            raise HostFailure("an illegal memory access was encountered")
        return super().kernel(source, name, options, shared_bytes)


class Hasty(HostDevice):
    """Streams do not wait for each other: what that breaks must be seen."""

    def stream(self):
        """Return a stream that forgets what it should wait for."""
        stream = super().stream()
        stream.wait_event = lambda event: None
        return stream


class Pair(HostDevice):
    """One of two."""

    count = 2

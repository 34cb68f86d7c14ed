"""Integers that the processes of a DataLoader share with the process that made them."""

import mmap
import multiprocessing.context
import os
import weakref
from multiprocessing import reduction
from typing import Any

import numpy as np
from numpy.typing import NDArray


class SharedWords:
    """An array of int64 in memory that forked and spawned processes see too; any other copy has one of its own.

    It lies in an anonymous file of the kernel's, so neither a name nor room below ``/dev/shm`` is needed. An aligned
    word is written and read as a whole; nothing else is promised.

    Attributes
    ----------
    words : (count,) int64, zero at first
    """

    def __init__(self, count: int, file: int | None = None) -> None:
        size = max(count, 1) * 8
        self._file = os.memfd_create("passband") if file is None else file
        weakref.finalize(self, os.close, self._file).atexit = False
        if file is None:
            os.truncate(self._file, size)
        self.words: NDArray[np.int64] = np.frombuffer(mmap.mmap(self._file, size), np.int64)[:count]

    def __reduce__(self) -> tuple[Any, ...]:
        if multiprocessing.context.get_spawning_popen() is None:
            return _copied, (self.words.tolist(),)
        return _joined, (len(self.words), reduction.DupFd(self._file))


def _copied(values: list[int]) -> SharedWords:
    copy = SharedWords(len(values))
    copy.words[:] = values
    return copy


def _joined(count: int, file: Any) -> SharedWords:
    return SharedWords(count, file.detach())

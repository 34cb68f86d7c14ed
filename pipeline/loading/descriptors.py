"""Open files that are read at places, not mapped: a file cut short under a map would end the process by SIGBUS.

A file that is changed, cut or replaced while it is open is noticed by its size, inode and times. What cannot be
noticed: a write through another process's map that the kernel has not dated yet, one within the same tick of a coarse
clock (a few milliseconds, on kernels before 6.13), and any on a file system that keeps no times.
"""

import errno
import hashlib
import os
import resource
import stat
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

CHUNK = 1 << 20
_LEAST, _MOST = 16, 4096
_MOST_PARTS = os.sysconf("SC_IOV_MAX")
"""Buffers that one call takes; more are an error."""
_MOST_BYTES = 1 << 30
"""What one call is asked for: no system gives more than 2 GiB."""


class Stopped(Exception):
    """The iteration that asked for a file is over."""


class Descriptor:
    """A regular file, open for reading; closed when nobody holds it any more.

    Attributes
    ----------
    number : int, for `os.pread`
    stamp : int
        Stands for what the file was like when it was opened: its inode, size and times. The same in every process.
    size : int, bytes it had then
    """

    def __init__(self, path: Path) -> None:
        self.number = -1
        self.number = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # opening a pipe would wait
        status = os.fstat(self.number)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        self._state, self.size = _state(status), status.st_size
        self.stamp = hash(self._state) | 1  # never 0; hashes of integers are not salted

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        if self.number >= 0:
            close(self.number)

    def changed(self) -> bool:
        """Say whether the file is not what it was when it was opened; having lost its name is no change."""
        status = os.fstat(self.number)
        now = _state(status)
        return now != self._state and (status.st_nlink > 0 or now[:-1] != self._state[:-1])

    def sha256(self, begin: int, end: int, stop: threading.Event) -> str:
        """Return the hash of a part of the file; raise Stopped when `stop` is set on the way."""
        sha256, chunk = hashlib.sha256(), bytearray(min(CHUNK, max(end - begin, 1)))
        while begin < end:
            if stop.is_set():
                raise Stopped
            size = os.preadv(self.number, [memoryview(chunk)[: end - begin]], begin)
            if not size:
                break  # it was cut short; the hash of what is left is another
            sha256.update(memoryview(chunk)[:size])
            begin += size
        return sha256.hexdigest()


def read_into(numbers: Iterable[int], offsets: Iterable[int], targets: Sequence[tuple[memoryview, int]]) -> int:
    """Read what lies side by side in files into several arrays of equal parts.

    Parameters
    ----------
    numbers, offsets : the open file and the place in it of each reading
    targets : (flat bytes of an array, bytes of a part) of each array
        Reading n fills part n of the first array, then part n of the second, and so on.

    Returns
    -------
    int, bytes that were there.
    """
    found, whole = 0, sum(size for _, size in targets)
    at_once = len(targets) <= _MOST_PARTS and whole <= _MOST_BYTES
    for position, (number, offset) in enumerate(zip(numbers, offsets, strict=False)):
        parts = [target[position * size : (position + 1) * size] for target, size in targets]
        given = os.preadv(number, parts, offset) if at_once else 0
        found += given if given == whole else read_parts(number, parts, offset)
    return found


def read_parts(number: int, parts: Sequence[memoryview], offset: int) -> int:
    """Fill flat arrays of bytes, one after the other, from one place in a file; return the bytes that were there."""
    found, first, begun = 0, 0, 0  # of part `first`, `begun` bytes are read
    while first < len(parts):
        asked = _asked(parts, first, begun)
        size = os.preadv(number, asked, offset + found)
        if not size and any(map(len, asked)):
            break  # the file ends here
        found += size
        begun += size
        while first < len(parts) and begun >= len(parts[first]):
            begun -= len(parts[first])
            first += 1
    return found


def _asked(parts: Sequence[memoryview], first: int, begun: int) -> list[memoryview]:
    """Return of what is still to be filled as much as one call takes."""
    asked, room = [], _MOST_BYTES
    for part in parts[first : first + _MOST_PARTS]:
        asked.append(part[begun : begun + room])
        room -= len(asked[-1])
        begun = 0
        if room <= 0:
            break
    return asked


def _state(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


class Descriptors:
    """Keeps the files in use open, at most an eighth of those that the process may have; others are opened anew."""

    def __init__(self) -> None:
        allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._most = _MOST if allowed < 0 else min(max(allowed // 8, _LEAST), _MOST)
        self._open: OrderedDict[str, Descriptor] = OrderedDict()
        self._lock = threading.Lock()

    def kept(self, name: str) -> Descriptor | None:
        """Return the file called `name` if it is open."""
        with self._lock:
            found = self._open.get(name)
            if found is not None:
                self._open.move_to_end(name)
            return found

    def open(self, name: str, path: Path) -> Descriptor:
        """Return the file called `name`, opened at `path` if it is not; raise OSError if it cannot be."""
        found = self.kept(name)
        if found is not None:
            return found
        opened = Descriptor(path)
        with self._lock:
            kept = self._open.setdefault(name, opened)
            while len(self._open) > self._most:
                self._open.popitem(last=False)
        return kept

    def drop(self, name: str) -> None:
        """Close the file called `name` once nobody reads it."""
        with self._lock:
            self._open.pop(name, None)

    def clear(self) -> None:
        """Close all files once nobody reads them."""
        with self._lock:
            self._open.clear()

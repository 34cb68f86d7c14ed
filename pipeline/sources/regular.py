"""Reading files that others may change while we do: nothing but a regular file is opened, and no more than asked read.

A file can be another one since it was listed: a FIFO would keep a reader waiting, a device would never end.
"""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from passband.pipeline.imagefiles.oversize import MAX_IMAGE_BYTES, stand_in
from passband.pipeline.sources.base import SourceError
from passband.pipeline.sources.limits import plain, shown

Say = Callable[[str], Exception]
"""Makes an exception of a reason, such as "No such file or directory"."""


@contextmanager
def opened(kind: str, path: str | Path, name: str) -> Iterator[int]:
    """Open a regular file for reading; yields its descriptor.

    Parameters
    ----------
    kind : the source, for messages
    name : of the file in messages

    Raises
    ------
    SourceError
        It cannot be opened or read, or is no regular file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        raise unreadable(kind, name, error) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise SourceError(f"source {kind}: {plain(name)} is no regular file")
        yield descriptor
    except OSError as error:
        raise unreadable(kind, name, error) from error
    finally:
        os.close(descriptor)


def unreadable(kind: str, name: str, error: Exception) -> SourceError:
    """Return the error that names a file that cannot be read."""
    return SourceError(f"source {kind}: cannot read {shown(name)}: {getattr(error, 'strerror', None) or error}")


def image_bytes(path: str | Path) -> int:
    """Return how many bytes `image_content` returns, about; 0 for a file that cannot be looked at."""
    try:
        num_bytes = os.stat(path).st_size
    except (OSError, ValueError):
        return 0
    return num_bytes if num_bytes <= MAX_IMAGE_BYTES else 0


def image_content(kind: str, path: str | Path, name: str) -> bytes:
    """Return the content of an image file, or what stands for one that is too large."""
    with opened(kind, path, name) as descriptor:
        num_bytes = os.fstat(descriptor).st_size
        if num_bytes > MAX_IMAGE_BYTES:
            return stand_in(num_bytes)
        content = read_at_most(descriptor, max(num_bytes, 1), MAX_IMAGE_BYTES + 1)
    return content if len(content) <= MAX_IMAGE_BYTES else stand_in(len(content))


def small_content(kind: str, path: str | Path, name: str, most: int) -> bytes:
    """Return the content of a file; raise SourceError for one of more than `most` bytes."""
    with opened(kind, path, name) as descriptor:
        content = read_at_most(descriptor, 1, most + 1)
    if len(content) > most:
        raise SourceError(f"source {kind}: {plain(name)} has more than {most:,} bytes, which is no such file's size")
    return content


def read_at_most(descriptor: int, likely: int, most: int) -> bytes:
    """Return a file's content up to `most` bytes; `likely` is what it was a moment ago."""
    parts: list[bytes] = []
    total, ask = 0, likely
    while total < most and (part := os.read(descriptor, min(max(ask - total, 2**16), most - total))):
        parts.append(part)
        total += len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def pread_all(descriptor: int, num_bytes: int, offset: int) -> bytes:
    """Return `num_bytes` at `offset`, fewer only at the file's end: one call of the system returns at most 2 GB."""
    content = os.pread(descriptor, num_bytes, offset)
    while len(content) < num_bytes and (more := os.pread(descriptor, num_bytes - len(content), offset + len(content))):
        content += more
    return content

"""Local paths that a job file names."""

import os
from pathlib import Path

from passband.pipeline.home import expanded
from passband.pipeline.sources.base import SourceError
from passband.pipeline.sources.limits import MAX_KEY_BYTES, plain, shown
from passband.pipeline.sources.regular import opened


def existing_path(kind: str, path: str, *, folder: bool = False) -> Path:
    """Return `path` absolute, with ``~`` expanded and links resolved.

    Raises
    ------
    SourceError
        There is nothing there, or no folder where one is needed.
    HomeError
        It begins with ``~``, and the home folder is not known.
    """
    try:
        found = Path(expanded(path)).absolute().resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, before Python 3.13; a NUL in the path
        raise SourceError(f"source {kind}: path {spelled(path)} does not exist") from error
    if folder and not found.is_dir():
        raise SourceError(f"source {kind}: path {spelled(path)} is not a folder")
    return found


def is_path(path: str) -> bool:
    """Tell whether a text can be a path at all."""
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


def spelled(path: str) -> str:
    """Return a path as it stands in a job: whole, unless no path can be so long."""
    return repr(path) if len(path) <= MAX_KEY_BYTES // 8 else shown(path)


_POINTER = b"version https://git-lfs.github.com/spec/"
_POINTER_BYTES = 1024  # the largest that Git LFS allows


def refuse_pointer(kind: str, path: Path) -> None:
    """Raise SourceError if the file is only the pointer that Git LFS keeps in its place, or no regular file."""
    with opened(kind, path, path.name) as file:
        found = os.read(file, len(_POINTER)) if os.fstat(file).st_size <= _POINTER_BYTES else b""
    refuse_pointer_content(kind, found, path.name)


def refuse_pointer_content(kind: str, content: bytes, name: str) -> None:
    """Raise SourceError if the content of the file `name` is only a pointer of Git LFS."""
    if content.startswith(_POINTER):
        raise SourceError(
            f"source {kind}: {plain(name)} is a pointer of Git LFS, not the file: fetch it with git lfs pull"
        )


def checked_key(kind: str, key: str) -> str:
    """Return `key` if it can be one: UTF-8, one line, no NUL, no longer than a path; raise SourceError otherwise."""
    try:
        num_bytes = len(os.fsencode(key).decode().encode())
    except (UnicodeDecodeError, UnicodeEncodeError) as error:
        raise SourceError(f"source {kind}: the name {shown(key)} is not valid UTF-8") from error
    if not key or any(mark in key for mark in "\0\n\r"):
        raise SourceError(f"source {kind}: the name {shown(key)} is empty or holds a line break or a NUL")
    if num_bytes > MAX_KEY_BYTES:
        raise SourceError(
            f"source {kind}: the name {shown(key)} has {num_bytes:,} bytes; a name has at most {MAX_KEY_BYTES:,}"
        )
    return key

"""Local paths that a job file names."""

import os
from pathlib import Path

from pipeline.sources.base import SourceError


def existing_path(kind: str, path: str, *, folder: bool = False) -> Path:
    """Return `path` absolute, with ``~`` expanded and links resolved.

    Raises
    ------
    SourceError
        There is nothing there, or no folder where one is needed.
    """
    found = Path(os.path.expanduser(path)).absolute()
    try:
        found = found.resolve(strict=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, before Python 3.13
        raise SourceError(f"source {kind}: path {path!r} does not exist") from error
    if folder and not found.is_dir():
        raise SourceError(f"source {kind}: path {path!r} is not a folder")
    return found


_POINTER = b"version https://git-lfs.github.com/spec/"
_POINTER_BYTES = 1024  # the largest that Git LFS allows


def refuse_pointer(kind: str, path: Path) -> None:
    """Raise SourceError if the file is only the pointer that Git LFS keeps in its place."""
    try:
        if path.stat().st_size > _POINTER_BYTES:
            return
        with path.open("rb") as file:
            found = file.read(len(_POINTER))
    except OSError as error:
        raise SourceError(f"source {kind}: cannot read {path.name}: {error.strerror}") from error
    refuse_pointer_content(kind, found, path.name)


def refuse_pointer_content(kind: str, content: bytes, name: str) -> None:
    """Raise SourceError if the content of the file `name` is only a pointer of Git LFS."""
    if content.startswith(_POINTER):
        raise SourceError(f"source {kind}: {name} is a pointer of Git LFS, not the file: fetch it with git lfs pull")


def checked_key(kind: str, key: str) -> str:
    """Return `key` if it can be one: UTF-8, one line, no NUL; raise SourceError otherwise."""
    try:
        os.fsencode(key).decode()
    except (UnicodeDecodeError, UnicodeEncodeError) as error:
        raise SourceError(f"source {kind}: the name {ascii(key)} is not valid UTF-8") from error
    if not key or any(mark in key for mark in "\0\n\r"):
        raise SourceError(f"source {kind}: the name {ascii(key)} is empty or holds a line break or a NUL")
    return key

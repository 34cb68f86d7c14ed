"""Files and folders that only this user can read."""

import os
import tempfile
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")
_LONGEST_FOLDER = 36  # Ray's sockets lie 68 characters deeper, and the path of a Unix socket ends at 107


def private_folder() -> Path:
    """Make and return a temporary folder whose path is short enough for the sockets of a Ray below it."""
    parent = tempfile.gettempdir()
    if len(parent) > _LONGEST_FOLDER - len("/passband-12345678"):
        parent = "/tmp"
    return Path(tempfile.mkdtemp(prefix="passband-", dir=parent)).resolve()


def shared_memory(folder: Path) -> Path | None:
    """Return where a Ray must keep its objects: None is where it does by itself, and else `folder`.

    It looks how much fits into /dev/shm, but not whether it may write there: it would not start, and not say why.
    """
    return None if os.access(SHARED_MEMORY, os.W_OK) else folder


def write_private(path: Path, text: str) -> None:
    """Write a new file that only this user can read; raise FileExistsError where there is one."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)

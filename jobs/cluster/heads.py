"""Which heads this user runs on this machine, so that other commands find them without being told."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from passband.jobs.cluster.state import read_all, state_folder, write_json
from passband.jobs.executors.ray_session import answers


@contextlib.contextmanager
def noted(address: str, gcs_address: str, token_file: Path) -> Iterator[None]:
    """Keep a note of a head while the block lasts."""
    path = _folder() / f"{urlsplit(address).port}.json"
    note = {"address": address, "gcs_address": gcs_address, "token_file": str(token_file), "pid": os.getpid()}
    write_json(path, note)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def running_heads() -> list[dict[str, Any]]:
    """Return the notes of heads that answer; one that was killed left its note."""
    return [note for note in read_all(_folder()) if answers(urlsplit(str(note.get("address"))).netloc)]


def _folder() -> Path:
    return state_folder() / "heads"

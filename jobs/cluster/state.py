"""What this user's Passband remembers between commands, in files that nobody else can read."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from passband.jobs.executors.private import write_private
from passband.pipeline.documents import read_json_file
from passband.pipeline.errors import PassbandError
from passband.pipeline.home import expanded


class ClusterError(PassbandError):
    """What is wrong with a cluster, or between it and us; the message says what to do."""


def state_folder() -> Path:
    """Return the folder of Passband's state: ``$XDG_STATE_HOME/passband``, or ``~/.local/state/passband``."""
    given = os.environ.get("XDG_STATE_HOME", "")
    base = (
        Path(given) if os.path.isabs(given) else Path(expanded("~")) / ".local" / "state"
    )  # a relative one is to be ignored
    return base / "passband"


def make_folder(folder: Path) -> Path:
    """Return `folder`, made for this user alone if it is not there."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ClusterError(f"cannot make the folder {folder}: {error.strerror}") from error
    return folder


def write_json(path: Path, value: Any) -> None:
    """Put `value` where no file is; whoever reads it sees all of it or none."""
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write_private(temporary, json.dumps(value, ensure_ascii=False, indent=1) + "\n")
        os.replace(temporary, path)
    except OSError as error:
        raise ClusterError(f"cannot write {path}: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the mapping in `path`; None where there is none, or it is damaged."""
    try:
        found = read_json_file(path)
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def read_all(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the mappings in the JSON files of `folder`."""
    paths = sorted(folder.glob("*.json")) if folder.is_dir() else []
    return (found for path in paths if (found := read_json(path)) is not None)

"""Where the checkpoint of a training lies, and its bytes. Without torch, so that a job can be planned without it."""

from pathlib import Path

from passband.pipeline.errors import IntegrityError, PassbandError
from passband.pipeline.hashed import HashedFile, read_hashed
from passband.pipeline.layout import MODEL, SHA256_SUFFIX
from passband.pipeline.store import Store, open_store


class NetworkError(PassbandError):
    """A checkpoint that cannot be used, or a network that does not fit its images; the message says why."""


def checkpoint_file(path: str | Path) -> Path:
    """Return the file that a checkpoint is named by: itself, or the ``model.pt`` of a training's folder."""
    return Path(path) / MODEL if Path(path).is_dir() else Path(path)


def read_checkpoint(path: str | Path, sha256: str | None = None) -> HashedFile:
    """Return the content of a checkpoint, compared with the hash beside it and with `sha256`, where they are given.

    Parameters
    ----------
    path : a file, the output folder of a training, or a file of an object store

    Raises
    ------
    NetworkError
        If it cannot be read.
    IntegrityError
        If it has another hash.
    """
    store, name = _place(path)
    try:
        found = read_hashed(store, name)
    except FileNotFoundError as error:
        raise NetworkError(f"{store.uri}/{name}: there is no checkpoint") from error
    except OSError as error:
        raise NetworkError(f"{store.uri}/{name}: cannot be read: {error.strerror or error}") from error
    if sha256 is not None and found.sha256 != sha256:
        raise IntegrityError(f"{store.uri}/{name}: has sha256 {found.sha256}, the job says {sha256}")
    return HashedFile(found.content, found.sha256, found.recorded or sha256 is not None)


def without_hash(path: str | Path, sha256: str | None = None) -> str | None:
    """Return what a person is told of a checkpoint that neither a file beside it nor the job gives a hash of."""
    store, name = _place(path)
    if sha256 is not None or store.exists(name + SHA256_SUFFIX) or not store.exists(name):
        return None
    return f"{store.uri}/{name}: no {name}{SHA256_SUFFIX} lies beside it, so only its structure was checked"


def _place(path: str | Path) -> tuple[Store, str]:
    if "://" in str(path):
        folder, _, name = str(path).rpartition("/")
        return open_store(folder), name
    file = checkpoint_file(path)
    return open_store(file.parent), file.name

"""The dataset's files as mapped memory: local ones in place, those of an object store fetched to a cache folder."""

import hashlib
import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import IO

import filelock
import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.errors import IntegrityError, PassbandError
from pipeline.manifest import StoredFile
from pipeline.store import LocalStore, Store, attempt_id

CHUNK = 4 << 20
_POLL_S = 0.1
_ATTEMPTS, _BACKOFF_S = 3, 0.5


class Stopped(Exception):
    """The iteration that asked for a file is over."""


class Files:
    """Maps the files of a store, each checked once before its first use; safe to call from several threads.

    Parameters
    ----------
    cache : folder or None
        Where files of an object store are put; None: a temporary folder, removed by `close`. A folder may be
        shared by several streams and processes, and what lies there already is used.
    verify : bool
        Compare sha256; sizes are always compared.
    """

    def __init__(self, store: Store, cache: str | Path | None, *, verify: bool) -> None:
        self._store = store
        self._verify = verify
        self._cache = Path(cache).expanduser() if cache is not None else None
        self._temporary: Path | None = None
        self._mapped: dict[str, NDArray[np.uint8]] = {}
        self._lock = threading.Lock()

    @property
    def fetches(self) -> bool:
        """Whether files are fetched, and so compared on the way."""
        return not isinstance(self._store, LocalStore)

    def locate(self, file: StoredFile, stop: threading.Event) -> Path:
        """Return the path of a local file whose size is right, or of the fetched and checked copy.

        Raises
        ------
        IntegrityError
            If it is missing or not what the manifest says; it names the file and what differs.
        Stopped
            If `stop` was set on the way.
        """
        if not isinstance(self._store, LocalStore):
            return self._fetched(file, stop)
        self._compare_local(file, stop, hashed=False)
        return self._store.path(file.name)

    def prepare(self, file: StoredFile, stop: threading.Event) -> None:
        """Fetch, check as a whole, and map `file` unless it is mapped; errors as in `locate`."""
        if file.name in self._mapped:
            return
        path = self.locate(file, stop)
        if not self.fetches:
            self._compare_local(file, stop, hashed=True)
        self._mapped[file.name] = mapped(path, file.bytes)

    def content(self, name: str) -> NDArray[np.uint8]:
        """Return the (bytes,) uint8 content of a prepared file; do not write to it."""
        return self._mapped[name]

    def release(self, file: StoredFile) -> None:
        """Remove a file that was fetched; a local one stays mapped and checked."""
        if self.fetches and self._mapped.pop(file.name, None) is not None:
            self._place(file).unlink(missing_ok=True)

    def close(self) -> None:
        """Forget all mappings and remove a temporary cache."""
        self._mapped.clear()
        with self._lock:
            if self._temporary is not None:
                shutil.rmtree(self._temporary, ignore_errors=True)
                self._temporary = None

    def _compare_local(self, file: StoredFile, stop: threading.Event, *, hashed: bool) -> None:
        where = f"{self._store.uri}/{file.name}"
        try:
            with self._opened(file.name) as opened:
                sha256 = self._hash(opened, stop) if hashed else None
                size = os.fstat(opened.fileno()).st_size
        except OSError as error:
            raise PassbandError(f"{where}: cannot be read: {error}") from error
        compare(where, size, sha256, file)

    def _fetched(self, file: StoredFile, stop: threading.Event) -> Path:
        """Bring `file` into the cache; of several processes that share it, one."""
        path = self._place(file)
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path.with_name(f"{path.name}.lock"), stop):
            if path.is_file() and path.stat().st_size == file.bytes:
                with path.open("rb") as opened:
                    if self._hash(opened, stop) in (None, file.sha256):
                        return path
            temporary = path.with_name(f".passband-{attempt_id()}-{path.name}")
            try:
                self._fetch(file, temporary, stop)
                os.replace(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)
        return path

    def _fetch(self, file: StoredFile, destination: Path, stop: threading.Event) -> None:
        where = f"{self._store.uri}/{file.name}"
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with self._opened(file.name) as source, destination.open("wb") as target:
                    sha256 = self._hash(source, stop, target)
                break
            except OSError as error:
                if attempt == _ATTEMPTS or stop.wait(_BACKOFF_S * attempt):
                    raise PassbandError(f"{where}: cannot be fetched to {destination.parent}: {error}") from error
        compare(where, destination.stat().st_size, sha256, file)

    def _opened(self, name: str) -> IO[bytes]:
        try:
            return self._store.open(name)
        except FileNotFoundError as error:
            raise IntegrityError(f"{self._store.uri}/{name}: is missing, but the manifest lists it") from error

    def _hash(self, file: IO[bytes], stop: threading.Event, copy: IO[bytes] | None = None) -> str | None:
        """Read a file through, into `copy` if given; return its sha256, or None where hashes are not compared."""
        if not self._verify and copy is None:
            return None
        sha256 = hashlib.sha256()
        while chunk := file.read(CHUNK):
            if stop.is_set():
                raise Stopped
            if self._verify:
                sha256.update(chunk)
            if copy is not None:
                copy.write(chunk)
        return sha256.hexdigest() if self._verify else None

    def _place(self, file: StoredFile) -> Path:
        """Return where a file lies in the cache: under its hash, so that datasets cannot be mixed up there."""
        with self._lock:
            if self._cache is None and self._temporary is None:
                self._temporary = Path(tempfile.mkdtemp(prefix="passband-"))
            return (self._cache or self._temporary or Path()) / f"{file.sha256}{Path(file.name).suffix}"


def mapped(path: Path, size: int) -> NDArray[np.uint8]:
    """Map a whole file as (size,) uint8. The mapping keeps no file descriptor, so thousands may be open."""
    if not size:
        return torch.empty(0, dtype=torch.uint8).numpy()
    return torch.from_file(str(path), shared=False, size=size, dtype=torch.uint8).numpy()


def compare(where: str, size: int, sha256: str | None, expected: StoredFile) -> None:
    """Raise IntegrityError unless size and hash (None: not compared) are those expected."""
    if size != expected.bytes:
        raise IntegrityError(f"{where}: has {size} bytes, the manifest says {expected.bytes}")
    if sha256 not in (None, expected.sha256):
        raise IntegrityError(f"{where}: sha256 is {sha256}, the manifest says {expected.sha256}")


class _locked:
    """Hold a lock file, giving up when `stop` is set."""

    def __init__(self, path: Path, stop: threading.Event) -> None:
        self._lock = filelock.FileLock(path)
        self._stop = stop

    def __enter__(self) -> None:
        while True:
            try:
                self._lock.acquire(timeout=_POLL_S)
                return
            except filelock.Timeout:
                if self._stop.is_set():
                    raise Stopped from None

    def __exit__(self, *_: object) -> None:
        self._lock.release()

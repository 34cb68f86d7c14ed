"""Fetch the files of an object store to a folder, checked on the way."""

import hashlib
import os
import shutil
import tempfile
import threading
from multiprocessing.util import Finalize
from pathlib import Path
from typing import IO

import filelock

from passband.pipeline.errors import IntegrityError, PassbandError
from passband.pipeline.home import expanded
from passband.pipeline.loading.descriptors import Stopped
from passband.pipeline.records import StoredFile
from passband.pipeline.store import Store, attempt_id

CHUNK = 4 << 20
_POLL_S = 0.1
_ATTEMPTS, _BACKOFF_S = 3, 0.5


class Cache:
    """A folder of fetched files, each under its hash, so that datasets cannot be mixed up there.

    Parameters
    ----------
    folder : folder or None
        None: a temporary one, removed by `close` or when the process that made it ends.
    verify : bool
        Compare sha256; sizes are always compared.
    """

    def __init__(self, store: Store, folder: str | Path | None, *, verify: bool) -> None:
        self._store = store
        self._verify = verify
        self._folder = Path(expanded(folder)) if folder is not None else None
        self._remove: Finalize | None = None
        self._lock = threading.Lock()

    @property
    def folder(self) -> Path:
        """Where fetched files lie."""
        with self._lock:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="passband-"))
                # Also where a worker ends without closing anything; nothing is done in a process that forked from it.
                self._remove = Finalize(None, shutil.rmtree, (self._folder, True), exitpriority=0)
            return self._folder

    def place(self, file: StoredFile) -> Path:
        """Return where `file` lies once it is fetched."""
        return self.folder / f"{file.sha256}{Path(file.name).suffix}"

    def fetch(self, file: StoredFile, stop: threading.Event) -> Path:
        """Bring `file` here, unless it is here and right; of several processes that share the folder, one does.

        Raises
        ------
        IntegrityError
            If it is missing or not what the manifest says; it names the file and what differs.
        Stopped
            If `stop` was set on the way.
        """
        path = self.place(file)
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

    def drop(self, file: StoredFile) -> None:
        """Remove a fetched file; it may be fetched again."""
        self.place(file).unlink(missing_ok=True)

    def of_child(self, store: Store) -> "Cache":
        """Return the cache of a process that forked from this one, with a connection of its own to the store.

        A temporary folder goes on being used, and is removed by the process that made it.
        """
        return Cache(store, self._folder, verify=self._verify)

    def close(self) -> None:
        """Remove a temporary folder, in the process that made it."""
        with self._lock:
            if self._remove is not None:
                self._remove()
                self._remove = self._folder = None

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

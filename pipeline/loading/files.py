"""The dataset's files, open for reading: local ones in place, those of an object store fetched to a cache folder."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from passband.pipeline.errors import IntegrityError, PassbandError
from passband.pipeline.loading.checked import Checked
from passband.pipeline.loading.descriptors import Descriptor, Descriptors
from passband.pipeline.loading.fetching import Cache, compare
from passband.pipeline.records import StoredFile
from passband.pipeline.store import LocalStore, Store, open_store


class Files:
    """Opens the files of a store, each checked once before its first use; safe to call from several threads.

    Parameters
    ----------
    cache : folder or None
        Where files of an object store are put; None: a temporary folder, removed by `close`. A folder may be
        shared by several streams and processes, and what lies there already is used.
    verify : bool
        Compare sha256; sizes are always compared, and so is the hash of a file that changes while it is read.
    checked : Checked
        Which units, as `prepare` numbers them, are known to be right.
    """

    def __init__(self, store: Store, cache: str | Path | None, *, verify: bool, checked: Checked) -> None:
        self.store = store
        self.cache = None if isinstance(store, LocalStore) else Cache(store, cache, verify=verify)
        self._verify = verify
        self._checked = checked
        self._descriptors = Descriptors()
        self._doubted: set[int] = set()

    def open(self, file: StoredFile, stop: threading.Event) -> Descriptor:
        """Return a local file whose size is right, or the fetched and checked copy of another, open for reading.

        Raises
        ------
        IntegrityError
            If it is missing or not what the manifest says; it names the file and what differs.
        Stopped
            If `stop` was set on the way.
        """
        with self._named(file):
            path = self.path(file) if self.cache is None else self.cache.fetch(file, stop)
            descriptor = self._descriptors.open(file.name, path)
        compare(self._where(file), descriptor.size, None, file)
        return descriptor

    def prepare(self, file: StoredFile, unit: int, stop: threading.Event) -> Descriptor:
        """Fetch, check as a whole, and open `file`, as far as that is not done; errors as in `open`."""
        known = self._known(file, unit)
        if known is not None:
            return known
        doubted = unit in self._doubted
        if self.cache is not None and doubted:
            self.cache.drop(file)  # it was damaged in the cache, or just touched: the store has the right one
        descriptor = self.open(file, stop)
        if self.cache is None and (self._verify or doubted):
            with self._named(file):
                sha256 = descriptor.sha256(0, file.bytes, stop)
            compare(self._where(file), descriptor.size, sha256, file)
        if descriptor.changed():
            self.doubt(file, unit)
            raise IntegrityError(f"{self._where(file)}: is written to while it is read")
        self._checked.note(unit, descriptor.stamp)
        return descriptor

    def path(self, file: StoredFile) -> Path:
        """Return where `file` lies, fetched or not."""
        if self.cache is not None:
            return self.cache.place(file)
        assert isinstance(self.store, LocalStore)
        return self.store.path(file.name)

    def doubt(self, file: StoredFile, unit: int | None = None) -> None:
        """Open `file` anew when it is asked for next, and compare the hash of `unit`, with `verify` or without."""
        self._descriptors.drop(file.name)
        if unit is not None:
            self._doubted.add(unit)

    def release(self, file: StoredFile) -> None:
        """Remove a file that was fetched; a local one stays open and checked."""
        if self.cache is not None:
            self._descriptors.drop(file.name)
            self.cache.drop(file)

    def renew_after_fork(self) -> None:
        """Replace what a forked process must not go on with: locks, and connections to an object store."""
        self._descriptors = Descriptors()
        if self.cache is not None:
            self.store = open_store(self.store.uri)
            self.cache = self.cache.of_child(self.store)

    def close(self) -> None:
        """Close all files and remove a temporary cache."""
        self._descriptors.clear()
        if self.cache is not None:
            self.cache.close()

    def _known(self, file: StoredFile, unit: int) -> Descriptor | None:
        """Return `file`, open, if `unit` was found to be right in what lies there."""
        descriptor = self._descriptors.kept(file.name)
        if descriptor is None:
            try:
                descriptor = self._descriptors.open(file.name, self.path(file))
            except OSError:
                return None  # not fetched yet; or it is missing, as opening it will say
        if self._checked.knows(unit, descriptor.stamp):
            return descriptor
        self._descriptors.drop(file.name)
        return None

    def _where(self, file: StoredFile) -> str:
        return f"{self.store.uri}/{file.name}"

    @contextmanager
    def _named(self, file: StoredFile) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise IntegrityError(f"{self._where(file)}: is missing, but the manifest lists it") from error
        except OSError as error:
            raise PassbandError(f"{self._where(file)}: cannot be read: {error}") from error

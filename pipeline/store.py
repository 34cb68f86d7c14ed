"""Where a dataset lies: a local folder, or a prefix of an object store through fsspec.

Both give the same promise: a name shows either nothing or the whole of what was put there. The folder reaches it
by writing a temporary file beside the final name, fsync and rename; the object store by a single PUT.
"""

import errno
import io
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any, Protocol

from passband.pipeline.errors import OutputError, PassbandError, output_error
from passband.pipeline.home import expanded
from passband.pipeline.layout import BLOCKS, INPUTS, KEPT

FOLDERS = ("shards", "records", INPUTS, BLOCKS, KEPT)
"""The folders of a dataset, that of an analysis, and that of a training."""
_TEMPORARY = ".passband-"
_ONLY_OF_WRITES = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}
"""What no read is answered with."""
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
"""What a file system without hard links answers."""

_NUMBERS = {
    FileNotFoundError: errno.ENOENT,
    PermissionError: errno.EACCES,
    FileExistsError: errno.EEXIST,
    IsADirectoryError: errno.EISDIR,
    NotADirectoryError: errno.ENOTDIR,
    TimeoutError: errno.ETIMEDOUT,
}
"""Drivers of object stores raise these without a number."""


class Store(Protocol):
    """Named files below one location; names are relative POSIX paths."""

    uri: str

    def exists(self, name: str) -> bool:
        """Say whether `name` is there."""

    def size(self, name: str) -> int:
        """Return the size of `name` in bytes."""

    def names(self, folder: str) -> list[str]:
        """Return the sorted names of the files in `folder`, writers' own ones left out; [] where there is none."""

    def open(self, name: str) -> IO[bytes]:
        """Open `name` for reading; the file can seek."""

    def read(self, name: str) -> bytes:
        """Return the whole of `name`."""

    def put(self, name: str, content: bytes) -> None:
        """Write `content` under `name`, replacing what was there."""

    def put_new(self, name: str, content: bytes) -> bool:
        """Write `content` under `name` unless something is there; say whether it was written."""

    def staged(self, name: str, attempt: str) -> Any:
        """Context manager over a local path to fill; on success it becomes `name`, on error it vanishes.

        What is read meanwhile may fail as well: `open_output` tells a failed write from a failed read.
        """

    def delete(self, name: str) -> None:
        """Remove `name` if it is there."""

    def sweep(self) -> int:
        """Remove what crashed writers left behind; return how many files. Only the holder of the lock may."""


def attempt_id() -> str:
    """Return a name for this process's temporary files that no other live process uses."""
    return f"{socket.gethostname()}-{os.getpid()}-{os.urandom(4).hex()}"


@contextmanager
def told_as_output(uri: str) -> Iterator[None]:
    """Tell the OSError of a write below `uri` in words, where trying again cannot help."""
    try:
        yield
    except OSError as error:
        if (told := output_error(error, uri)) is None:
            raise
        raise told from error


class _OutputFile(io.FileIO):
    """Tells in words what the system answers a write, at whatever moment a buffer is written."""

    def __init__(self, path: Path) -> None:
        self._folder = str(path.parent)
        with told_as_output(self._folder):
            super().__init__(path, "wb")

    def write(self, content: Any) -> int:
        with told_as_output(self._folder):
            return super().write(content)


def open_output(path: Path) -> IO[bytes]:
    """Open a staged file for writing; a write that fails is an OutputError, whatever else is read meanwhile."""
    return io.BufferedWriter(_OutputFile(path))


class LocalStore:
    """A folder of a local (or mounted) file system."""

    def __init__(self, folder: str | Path) -> None:
        self.root = Path(expanded(folder)).resolve()
        self.uri = str(self.root)

    def path(self, name: str) -> Path:
        """Return the path of `name`, which must lie below the folder."""
        path = self.root / name
        if ".." in PurePosixPath(name).parts or not path.is_relative_to(self.root):
            raise PassbandError(f"{name!r} points outside {self.uri}")
        return path

    def exists(self, name: str) -> bool:
        return self.path(name).is_file()

    def size(self, name: str) -> int:
        return self.path(name).stat().st_size

    def names(self, folder: str) -> list[str]:
        base = self.path(folder)
        if not base.is_dir():
            return []
        found = (p for p in base.iterdir() if not p.name.startswith(_TEMPORARY) and p.is_file())
        return sorted(p.relative_to(self.root).as_posix() for p in found)

    def open(self, name: str) -> IO[bytes]:
        return self.path(name).open("rb")

    def read(self, name: str) -> bytes:
        return self.path(name).read_bytes()

    def put(self, name: str, content: bytes) -> None:
        with self.staged(name, attempt_id()) as temporary:
            with told_as_output(self.uri):
                temporary.write_bytes(content)

    def put_new(self, name: str, content: bytes) -> bool:
        final = self.path(name)
        with self._temporary(final, attempt_id()) as temporary, told_as_output(self.uri):
            temporary.write_bytes(content)
            _fsync(temporary)
            try:
                os.link(temporary, final)
            except FileExistsError:
                return False
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                if final.exists():  # not atomic, but two writers of one name write the same in all that matters
                    return False
                os.replace(temporary, final)
            _fsync(final.parent)
            return True

    @contextmanager
    def staged(self, name: str, attempt: str) -> Iterator[Path]:
        final = self.path(name)
        with self._temporary(final, attempt) as temporary:
            yield temporary
            with told_as_output(self.uri):
                _fsync(temporary)
                os.replace(temporary, final)
                _fsync(final.parent)

    @contextmanager
    def _temporary(self, final: Path, attempt: str) -> Iterator[Path]:
        temporary = final.with_name(f"{_TEMPORARY}{attempt}-{final.name}")
        with told_as_output(self.uri):
            final.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
        except OSError as error:
            if error.errno not in _ONLY_OF_WRITES and error.filename != str(temporary):
                raise  # of something that was read on the way
            with told_as_output(self.uri):
                raise
        finally:
            if temporary.exists():
                temporary.unlink(missing_ok=True)

    def delete(self, name: str) -> None:
        self.path(name).unlink(missing_ok=True)

    def sweep(self) -> int:
        folders = [self.root, *(self.root / name for name in FOLDERS)]
        rubbish = [path for folder in folders for path in folder.glob(f"{_TEMPORARY}*") if path.is_file()]
        for path in rubbish:
            path.unlink(missing_ok=True)
        return len(rubbish)


class ObjectStore:
    """A prefix of an object store, by any fsspec protocol (``s3://bucket/prefix``)."""

    def __init__(self, uri: str) -> None:
        import fsspec

        self.uri = uri.rstrip("/")
        try:
            self.files, self.prefix = fsspec.core.url_to_fs(self.uri)
            self.files.exists(self.prefix)
        except Exception as error:  # every protocol has errors of its own: no driver, no credentials, no host
            raise PassbandError(f"cannot open {uri!r}: {' '.join(str(error).split())}") from error

    def _key(self, name: str) -> str:
        if ".." in PurePosixPath(name).parts:
            raise PassbandError(f"{name!r} points outside {self.uri}")
        return f"{self.prefix}/{name}" if name else self.prefix

    def exists(self, name: str) -> bool:
        self.files.invalidate_cache()  # another writer may have put it since the last listing
        with self._named(name):
            return bool(self.files.isfile(self._key(name)))

    def size(self, name: str) -> int:
        with self._named(name):
            return int(self.files.size(self._key(name)))

    def names(self, folder: str) -> list[str]:
        self.files.invalidate_cache()
        base = self._key(folder).rstrip("/")
        with self._named(folder):
            found = self.files.ls(base, detail=True) if self.files.isdir(base) else []
        start = len(self.prefix) + 1
        return sorted(entry["name"][start:] for entry in found if entry["type"] == "file" and entry["name"] != base)

    def open(self, name: str) -> IO[bytes]:
        with self._named(name):
            return self.files.open(self._key(name), "rb")

    def read(self, name: str) -> bytes:
        with self._named(name):
            content: bytes = self.files.cat_file(self._key(name))
        return content

    def put(self, name: str, content: bytes) -> None:
        with self._writing(name):
            self.files.pipe_file(self._key(name), content)

    def put_new(self, name: str, content: bytes) -> bool:
        # Not atomic everywhere; two writers of one name carry equal shards, so the later record is as true.
        if self.exists(name):
            return False
        self.put(name, content)
        return True

    @contextmanager
    def staged(self, name: str, attempt: str) -> Iterator[Path]:
        folder = Path(tempfile.mkdtemp(prefix="passband-"))
        try:
            path = folder / PurePosixPath(name).name
            yield path
            with self._writing(name):
                self.files.put_file(str(path), self._key(name))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def _named(self, name: str) -> Iterator[None]:
        """Let every error be an OSError that names bucket and object: drivers raise what they like, without either."""
        try:
            yield
        except PassbandError:
            raise
        except Exception as error:
            number = getattr(error, "errno", None) or _errno_of(error)
            said = " ".join(str(getattr(error, "strerror", None) or error).split()) or type(error).__name__
            raise OSError(number, said, f"{self.uri}/{name}") from error

    @contextmanager
    def _writing(self, name: str) -> Iterator[None]:
        """Tell a write that cannot succeed from one that may, tried again."""
        try:
            with told_as_output(self.uri), self._named(name):
                yield
        except FileNotFoundError as error:  # there is no such bucket
            raise OutputError(f"cannot write to {self.uri}: {error.strerror}") from error

    def delete(self, name: str) -> None:
        if self.exists(name):
            with self._writing(name):
                self.files.rm_file(self._key(name))

    def sweep(self) -> int:
        return 0  # a PUT that did not finish shows no object; what was being staged lies in the temporary folder


def open_store(uri: str | Path) -> Store:
    """Return the store at `uri`: a path, ``file://``, or any protocol that fsspec knows."""
    text = str(uri)
    if text.startswith("file://"):
        return LocalStore(text.removeprefix("file://"))
    return ObjectStore(text) if "://" in text else LocalStore(text)


def _errno_of(error: Exception) -> int:
    """Return the number of an error that has none: by its class, or that of a connection that did not hold."""
    return next((number for kind, number in _NUMBERS.items() if isinstance(error, kind)), errno.ECONNRESET)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

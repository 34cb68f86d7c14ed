"""Rows of a packed file, read by random access.

The manifest holds a hash of every block of the file; a block is compared before the first sample of it is used.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from passband.pipeline.errors import IntegrityError, PassbandError
from passband.pipeline.loading.checked import Checked
from passband.pipeline.loading.columns import check_columns
from passband.pipeline.loading.descriptors import read_parts
from passband.pipeline.loading.files import Files
from passband.pipeline.loading.keys import read_keys
from passband.pipeline.loading.table import shard_positions
from passband.pipeline.records import Manifest, PackedFile, ViewEntry
from passband.pipeline.store import Store

_READINGS = 3

Columns = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


class PackedReader(ABC):
    """Reads rows of a packed file, as `Reader` says. A unit is a block.

    A format says what its file holds (`columns`), where samples lie in it (`spans`) and how to get pixels (`read`).

    Attributes
    ----------
    where : what names the file in errors
    manifest : of the dataset
    numbers : name of a view that is read -> its number
    """

    def __init__(
        self,
        store: Store,
        manifest: Manifest,
        file: PackedFile,
        views: Sequence[ViewEntry],
        *,
        verify: bool = True,
        cache: str | Path | None = None,
    ) -> None:
        self.manifest = manifest
        self._verify = verify
        self._file = file
        self.where = f"{store.uri}/{file.name}"
        self.numbers = {view.name: view.number for view in views}
        self.checked = Checked(len(file.blocks))
        self.files = Files(store, cache, verify=verify, checked=self.checked)
        try:
            self._open()
        except BaseException:
            self.files.close()
            raise

    def _open(self) -> None:
        """Open the file and read the columns."""
        self._descriptor = self.files.open(self._file, threading.Event())
        if self.files.cache is not None or not self._verify:
            for block in range(len(self._file.blocks)):
                self.checked.note(block, self._descriptor.stamp)
        self.labels, self.groups, self.indices = self.columns()
        check_columns(self.manifest, self.labels, self.groups, self.indices, self.where)
        self.shards = shard_positions(self.manifest)

    @abstractmethod
    def columns(self) -> Columns:
        """Read what the file says of itself, by `content`; return labels, groups and indices in stored order.

        Raises
        ------
        IntegrityError
            If the file is not of the samples and views that the manifest lists.
        """

    @abstractmethod
    def spans(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return where the samples of `rows` begin and end in the file, in bytes."""

    @abstractmethod
    def read(self, number: int, rows: NDArray[np.int64], out: Mapping[str, NDArray[Any]]) -> bool:
        """Read views of `rows` from the file open as `number` into `out`; say whether all of their bytes were there."""

    @property
    def path(self) -> Path:
        """Where the file lies, fetched or not."""
        return self.files.path(self._file)

    def content(self, start: int, end: int) -> bytes:
        """Return a part of the file, its blocks compared first."""
        self.check(start, end)
        content = bytearray(end - start)
        found = read_parts(self._descriptor.number, [memoryview(content)], start)
        if found < len(content) or self._descriptor.changed():
            raise IntegrityError(f"{self.where}: is written to while it is read")
        return bytes(content)

    def check(self, start: int, end: int) -> None:
        """Compare the blocks that hold some bytes; raise IntegrityError where the file is too short for them."""
        if end > self._file.bytes:
            raise IntegrityError(f"{self.where}: has {self._file.bytes} bytes, too few for the samples of the manifest")
        for block in range(start // self._file.block_bytes, -(-end // self._file.block_bytes)):
            self.prepare(block, threading.Event())

    def units(self, rows: NDArray[np.int64]) -> list[int]:
        """Return the blocks that hold `rows` and are not compared yet."""
        stamp = self._descriptor.stamp
        if self.checked.knows_all(stamp):
            return []
        starts, ends = self.spans(rows)
        firsts, lasts = starts // self._file.block_bytes, (ends - 1) // self._file.block_bytes
        touched = dict.fromkeys(np.concatenate([firsts, lasts]).tolist())
        for first, last in zip(firsts, lasts, strict=True):
            if last > first + 1:  # a sample larger than a block
                touched |= dict.fromkeys(range(first, last + 1))
        return [block for block in touched if not self.checked.knows(block, stamp)]

    def prepare(self, unit: int, stop: threading.Event) -> None:
        """Compare a block of the file, once.

        Raises
        ------
        IntegrityError
            If it is not what the manifest says; it names the file, the block and both hashes.
        """
        descriptor = self._descriptor
        if self.checked.knows(unit, descriptor.stamp):
            return
        begin = unit * self._file.block_bytes
        end = min(begin + self._file.block_bytes, self._file.bytes)
        try:
            found = descriptor.sha256(begin, end, stop)
        except OSError as error:
            raise PassbandError(f"{self.where}: cannot be read: {error}") from error
        expected = self._file.blocks[unit]
        if found != expected:
            raise IntegrityError(
                f"{self.where}: bytes {begin} to {end} (block {unit}): sha256 is {found}, the manifest says {expected}"
            )
        self.checked.note(unit, descriptor.stamp)

    def fill(self, rows: NDArray[np.int64], out: Mapping[str, NDArray[Any]]) -> None:
        """Copy the views of `rows`, whose blocks are compared, into view name -> (N, H, W, 3) of its dtype.

        Raises
        ------
        IntegrityError
            If the file was changed since, and is not what the manifest says any more.
        """
        for _ in range(_READINGS):
            descriptor = self._descriptor
            for block in self.units(rows):  # none, unless the file was opened anew
                self.prepare(block, threading.Event())
            whole = self.read(descriptor.number, rows, out)
            if whole and not descriptor.changed():
                return
            self.files.doubt(self._file)
            self._descriptor = self.files.open(self._file, threading.Event())
        raise IntegrityError(f"{self.where}: is written to while it is read")

    def release(self, shard: int) -> None:  # noqa: B027  (there is nothing of a single shard to drop)
        """Do nothing: all shards are one file."""

    def keys(self, rows: NDArray[np.int64]) -> list[str]:
        """Return the keys of `rows`, which only the provenance beside the shards knows."""
        return read_keys(self.files.store, self.manifest, self.shards, rows, verify=self._verify)

    def close(self) -> None:
        """Close the file and remove a copy that was fetched to a temporary folder."""
        self.files.close()

"""Samples of a dataset's FFCV file, read by random access.

Our betons hold uncompressed images of one size, so every place follows from the sample's number: FFCV itself is not
needed (it takes seconds to import and compiles its pipelines). The manifest holds a hash of every 64 MiB block; a
block is compared before the first sample of it is used.
"""

import threading
from collections.abc import Mapping, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from passband.pipeline.errors import IntegrityError, PassbandError
from passband.pipeline.formats.ffcv.beton import COLUMNS, HEADER, Layout, read_beton_header
from passband.pipeline.loading.checked import Checked
from passband.pipeline.loading.columns import check_columns
from passband.pipeline.loading.decoding import flat_bytes, side_by_side
from passband.pipeline.loading.descriptors import read_into, read_parts
from passband.pipeline.loading.files import Files
from passband.pipeline.loading.keys import read_keys
from passband.pipeline.loading.table import shard_positions
from passband.pipeline.records import BetonFile, Manifest, ViewEntry
from passband.pipeline.store import Store

_READINGS = 3


class BetonReader:
    """Reads rows of a beton. A unit is a block of the file."""

    def __init__(
        self,
        store: Store,
        manifest: Manifest,
        name: str,
        views: Sequence[ViewEntry],
        *,
        verify: bool = True,
        cache: str | Path | None = None,
    ) -> None:
        self._manifest = manifest
        self._verify = verify
        self._file = _listed(store, manifest, name)
        self._where = f"{store.uri}/{name}"
        self._numbers = {view.name: view.number for view in views}
        self.checked = Checked(len(self._file.blocks))
        self.files = Files(store, cache, verify=verify, checked=self.checked)
        try:
            self._open()
        except BaseException:
            self.files.close()
            raise

    def _open(self) -> None:
        """Open the file and read the columns; the blocks that hold them are compared first."""
        self._descriptor = self.files.open(self._file, threading.Event())
        if self.files.cache is not None or not self._verify:
            for block in range(len(self._file.blocks)):
                self.checked.note(block, self._descriptor.stamp)
        self._check_bytes(0, HEADER.itemsize)
        self._layout = _layout(self.files.path(self._file), self._where, self._manifest)
        start, metadata = self._layout.metadata_start, self._layout.metadata
        end = start + self._layout.num_samples * metadata.itemsize
        self._check_bytes(start, end)
        rows = np.frombuffer(self._content(start, end), metadata)
        names = {name: f"f{number}" for number, name in enumerate(COLUMNS, self._layout.num_views)}
        self.labels, self.groups, self.indices = (
            np.array(rows[names[name]], np.int64) for name in ("label", "group", "index")
        )
        check_columns(self._manifest, self.labels, self.groups, self.indices, self._where)
        self.shards = shard_positions(self._manifest)

    def units(self, rows: NDArray[np.int64]) -> list[int]:
        """Return the blocks that hold `rows` and are not compared yet."""
        stamp = self._descriptor.stamp
        if self.checked.knows_all(stamp):
            return []
        starts = self._layout.pointers(rows)[:, 0]
        firsts = starts // self._file.block_bytes
        lasts = (starts + self._layout.sample_bytes - 1) // self._file.block_bytes
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
            raise PassbandError(f"{self._where}: cannot be read: {error}") from error
        expected = self._file.blocks[unit]
        if found != expected:
            raise IntegrityError(
                f"{self._where}: bytes {begin} to {end} (block {unit}): sha256 is {found}, the manifest says {expected}"
            )
        self.checked.note(unit, descriptor.stamp)

    def fill(self, rows: NDArray[np.int64], out: Mapping[str, NDArray[Any]]) -> None:
        """Copy the views of `rows`, whose blocks are compared, into view name -> (N, H, W, 3) uint8.

        Raises
        ------
        IntegrityError
            If the file was changed since, and is not what the manifest says any more.
        """
        for _ in range(_READINGS):
            descriptor = self._descriptor
            for block in self.units(rows):  # none, unless the file was opened anew
                self.prepare(block, threading.Event())
            whole = self._read(descriptor.number, rows, out)
            if whole and not descriptor.changed():
                return
            self.files.doubt(self._file)
            self._descriptor = self.files.open(self._file, threading.Event())
        raise IntegrityError(f"{self._where}: is written to while it is read")

    def _read(self, number: int, rows: NDArray[np.int64], out: Mapping[str, NDArray[Any]]) -> bool:
        """Read views of `rows`, those that lie side by side at once; say whether all of them were there."""
        pointers, size = self._layout.pointers(rows), self._layout.view_bytes
        found = 0
        for first, run in side_by_side({self._numbers[name]: pixels for name, pixels in out.items()}):
            targets = [(flat_bytes(pixels), size) for pixels in run]
            found += read_into(repeat(number), pointers[:, first].tolist(), targets)
        return found == len(rows) * len(out) * size

    def release(self, shard: int) -> None:
        """Do nothing: a beton is one file."""

    def keys(self, rows: NDArray[np.int64]) -> list[str]:
        """Return the keys of `rows`, which only the provenance beside the shards knows."""
        return read_keys(self.files.store, self._manifest, self.shards, rows, verify=self._verify)

    def close(self) -> None:
        """Close the file and remove a copy that was fetched to a temporary folder."""
        self.files.close()

    def _check_bytes(self, start: int, end: int) -> None:
        for block in range(start // self._file.block_bytes, -(-end // self._file.block_bytes)):
            self.prepare(block, threading.Event())

    def _content(self, start: int, end: int) -> bytes:
        content = bytearray(end - start)
        found = read_parts(self._descriptor.number, [memoryview(content)], start)
        if found < len(content) or self._descriptor.changed():
            raise IntegrityError(f"{self._where}: is written to while it is read")
        return bytes(content)


def _listed(store: Store, manifest: Manifest, name: str) -> BetonFile:
    """Return what the manifest says of the beton `name`."""
    if manifest.beton is None:
        raise PassbandError(
            f"{store.uri}/{name}: the manifest lists no FFCV file; add ffcv to output.formats and run the job again"
        )
    if manifest.beton.name != name:
        raise PassbandError(f"{store.uri}/{name}: the manifest lists {manifest.beton.name}, not this file")
    return manifest.beton


def _layout(path: Path, where: str, manifest: Manifest) -> Layout:
    """Return the layout of a beton; raise IntegrityError unless it is that of the manifest's samples."""
    try:
        header = read_beton_header(path)
    except ValueError as error:
        raise IntegrityError(str(error)) from error
    _, height, width = manifest.shape
    layout = Layout(manifest.samples, len(manifest.views), height, width, header.page_bytes)
    found = (header.num_samples, header.num_views, header.height, header.width)
    if found != (layout.num_samples, layout.num_views, layout.height, layout.width):
        raise IntegrityError(f"{where}: holds {found} samples, views, height and width; the manifest says otherwise")
    return layout

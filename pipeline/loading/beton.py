"""Samples of a dataset's FFCV file, read from mapped memory.

Our betons hold uncompressed images of one size, so every place follows from the sample's number: FFCV itself is not
needed (it takes seconds to import and compiles its pipelines). The manifest holds a hash of every 64 MiB block; a
block is compared before the first sample of it is used.
"""

import hashlib
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import IntegrityError, PassbandError
from pipeline.loading.columns import check_columns
from pipeline.loading.files import CHUNK, Files, Stopped, mapped
from pipeline.loading.keys import read_keys
from pipeline.loading.table import shard_positions
from pipeline.manifest import BetonFile, Manifest, ViewEntry
from pipeline.shards.beton import COLUMNS, HEADER, Layout, read_beton_header
from pipeline.store import Store


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
        self._store = store
        self._manifest = manifest
        self._verify = verify
        self._file = _listed(store, manifest, name)
        self._where = f"{store.uri}/{name}"
        self._numbers = {view.name: view.number for view in views}
        self._checked: set[int] = set()
        self._files = Files(store, cache, verify=verify)
        try:
            self._open()
        except BaseException:
            self._files.close()
            raise

    def _open(self) -> None:
        """Map the file and read the columns; the blocks that hold them are compared first."""
        path = self._files.locate(self._file, threading.Event())
        self._content = mapped(path, self._file.bytes)
        if self._files.fetches or not self._verify:
            self._checked.update(range(len(self._file.blocks)))
        self._check_bytes(0, HEADER.itemsize)
        self._layout = _layout(path, self._where, self._manifest)
        start, metadata = self._layout.metadata_start, self._layout.metadata
        end = start + self._layout.num_samples * metadata.itemsize
        self._check_bytes(start, end)
        rows = self._content[start:end].view(metadata)
        names = {name: f"f{number}" for number, name in enumerate(COLUMNS, self._layout.num_views)}
        self.labels, self.groups, self.indices = (
            np.array(rows[names[name]], np.int64) for name in ("label", "group", "index")
        )
        check_columns(self._manifest, self.labels, self.groups, self.indices, self._where)
        self.shards = shard_positions(self._manifest)

    def units(self, rows: NDArray[np.int64]) -> list[int]:
        """Return the blocks that hold `rows` and are not compared yet."""
        if len(self._checked) == len(self._file.blocks):
            return []
        starts = self._layout.pointers(rows)[:, 0]
        firsts = starts // self._file.block_bytes
        lasts = (starts + self._layout.sample_bytes - 1) // self._file.block_bytes
        touched = (block for first, last in zip(firsts, lasts, strict=True) for block in range(first, last + 1))
        return [block for block in dict.fromkeys(touched) if block not in self._checked]

    def prepare(self, unit: int, stop: threading.Event) -> None:
        """Compare a block of the file, once.

        Raises
        ------
        IntegrityError
            If it is not what the manifest says; it names the file, the block and both hashes.
        """
        if unit in self._checked:
            return
        begin = unit * self._file.block_bytes
        end = min(begin + self._file.block_bytes, self._file.bytes)
        sha256 = hashlib.sha256()
        for start in range(begin, end, CHUNK):
            if stop.is_set():
                raise Stopped
            sha256.update(self._content[start : min(start + CHUNK, end)].data)
        found, expected = sha256.hexdigest(), self._file.blocks[unit]
        if found != expected:
            raise IntegrityError(
                f"{self._where}: bytes {begin} to {end} (block {unit}): sha256 is {found}, the manifest says {expected}"
            )
        self._checked.add(unit)

    def fill(self, rows: NDArray[np.int64], out: Mapping[str, NDArray[Any]]) -> None:
        """Copy the views of `rows`, whose blocks are compared, into view name -> (N, H, W, 3) uint8."""
        pointers, size = self._layout.pointers(rows), self._layout.view_bytes
        starting_at = np.ndarray((len(self._content) - size + 1, size), np.uint8, self._content.data, 0, (1, 1))
        for name, pixels in out.items():
            pixels.reshape(len(rows), size)[:] = starting_at[pointers[:, self._numbers[name]]]

    def release(self, shard: int) -> None:
        """Do nothing: a beton is one file."""

    def keys(self, rows: NDArray[np.int64]) -> list[str]:
        """Return the keys of `rows`, which only the provenance beside the shards knows."""
        return read_keys(self._store, self._manifest, self.shards, rows, verify=self._verify)

    def close(self) -> None:
        """Drop the mapping and a copy that was fetched to a temporary folder."""
        self._content = np.empty(0, np.uint8)
        self._files.close()

    def _check_bytes(self, start: int, end: int) -> None:
        for block in range(start // self._file.block_bytes, -(-end // self._file.block_bytes)):
            self.prepare(block, threading.Event())


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

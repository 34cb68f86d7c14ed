"""Samples of WebDataset shards, read by random access: the provenance says where every member lies."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import IntegrityError
from pipeline.loading.decoding import DamagedMember, fill_each, fill_png, fill_stacked
from pipeline.loading.files import Files
from pipeline.loading.keys import read_keys
from pipeline.loading.table import read_table
from pipeline.manifest import Manifest, ViewEntry
from pipeline.shards.codec import ENCODINGS, decode_npy
from pipeline.store import Store

STACK = "views.npy"
"""Field of the member that holds all uint8 views of a sample."""


class ShardReader:
    """Reads rows of a dataset's shards. A unit is a shard: its position in the manifest."""

    def __init__(
        self,
        store: Store,
        manifest: Manifest,
        views: Sequence[ViewEntry],
        *,
        verify: bool = True,
        cache: str | Path | None = None,
    ) -> None:
        self._store = store
        self._manifest = manifest
        self._verify = verify
        self._views = {view.name: view for view in views}
        self._table = read_table(store, manifest, sorted({view.field for view in views}), verify=verify)
        self._stacked = [view.number for view in manifest.views if view.field == STACK]
        self._files = Files(store, cache, verify=verify)
        self.labels, self.groups = self._table.labels, self._table.groups
        self.indices, self.shards = self._table.indices, self._table.shards

    def units(self, rows: NDArray[np.int64]) -> list[int]:
        """Return the units that hold `rows`, in the order in which they come."""
        return list(dict.fromkeys(self.shards[rows].tolist()))

    def prepare(self, unit: int, stop: threading.Event) -> None:
        """Fetch, check and map a shard; see `Files.prepare`."""
        self._files.prepare(self._manifest.shards[unit].tar, stop)

    def release(self, shard: int) -> None:
        """Drop a fetched shard, which may be fetched again."""
        self._files.release(self._manifest.shards[shard].tar)

    def keys(self, rows: NDArray[np.int64]) -> list[str]:
        """Return the keys of `rows`, read from the provenance now."""
        return read_keys(self._store, self._manifest, self.shards, rows, verify=self._verify)

    def close(self) -> None:
        """Drop all mappings and what was fetched to a temporary folder."""
        self._files.close()

    def fill(self, rows: NDArray[np.int64], out: Mapping[str, NDArray[Any]]) -> None:
        """Decode the views of `rows`, whose units are prepared.

        Parameters
        ----------
        out : name of a view -> (N, H, W, 3) of its dtype, filled

        Raises
        ------
        IntegrityError
            If a member cannot be decoded; it names shard, sample and member.
        """
        if not len(rows):
            return
        wanted = [self._views[name] for name in out]
        for field in sorted({view.field for view in wanted}):
            chosen = [view for view in wanted if view.field == field]
            try:
                self._fill_field(self._members(rows, field), chosen, [out[view.name] for view in chosen])
            except DamagedMember as error:
                row = int(rows[error.position])
                shard = self._manifest.shards[self.shards[row]].tar.name
                name = f"{self.indices[row]:08d}.{field}"
                raise IntegrityError(f"{self._store.uri}/{shard}: {name}: {error}") from error

    def _fill_field(self, members: list[memoryview], views: list[ViewEntry], out: list[NDArray[Any]]) -> None:
        if views[0].field == STACK:
            numbers = [self._stacked.index(view.number) for view in views]
            fill_stacked(members, numbers, len(self._stacked), out)
        elif views[0].dtype == "float16":
            fill_each(members, decode_npy, out[0])
        elif self._manifest.encoding == "png":
            fill_png(members, out[0])
        else:
            fill_each(members, ENCODINGS[self._manifest.encoding].decode, out[0])

    def _members(self, rows: NDArray[np.int64], field: str) -> list[memoryview]:
        shards = self.shards[rows]
        names = {shard: self._manifest.shards[shard].tar.name for shard in np.unique(shards).tolist()}
        contents = {shard: self._files.content(name).data for shard, name in names.items()}
        starts = self._table.offsets[field][rows]
        ends = starts + self._table.sizes[field][rows]
        places = zip(shards.tolist(), starts.tolist(), ends.tolist(), strict=True)
        return [contents[shard][start:end] for shard, start, end in places]

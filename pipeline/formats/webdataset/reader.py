"""Samples of WebDataset shards, read by random access: the provenance says where every member lies."""

import os
import threading
from collections.abc import Mapping, Sequence
from itertools import starmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from passband.pipeline.encodings.codec import ENCODINGS, decode_npy
from passband.pipeline.errors import IntegrityError
from passband.pipeline.loading.checked import Checked
from passband.pipeline.loading.decoding import DamagedMember, Places, fill_each, fill_png, fill_stacked
from passband.pipeline.loading.descriptors import Descriptor
from passband.pipeline.loading.files import Files
from passband.pipeline.loading.keys import read_keys
from passband.pipeline.loading.table import read_table
from passband.pipeline.records import Manifest, ViewEntry
from passband.pipeline.store import Store

STACK = "views.npy"
"""Field of the member that holds all uint8 views of a sample."""
_READINGS = 3
_WASTE = 2
"""Members of a sample are read together if that reads no more than so many times their bytes."""


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
        self._manifest = manifest
        self._verify = verify
        self._views = {view.name: view for view in views}
        self._table = read_table(store, manifest, sorted({view.field for view in views}), verify=verify)
        self._stacked = [view.number for view in manifest.views if view.field == STACK]
        self.checked = Checked(len(manifest.shards))
        self.files = Files(store, cache, verify=verify, checked=self.checked)
        self.labels, self.groups = self._table.labels, self._table.groups
        self.indices, self.shards = self._table.indices, self._table.shards

    def units(self, rows: NDArray[np.int64]) -> list[int]:
        """Return the units that hold `rows`, in the order in which they come."""
        return list(dict.fromkeys(self.shards[rows].tolist()))

    def prepare(self, unit: int, stop: threading.Event) -> None:
        """Fetch, check and open a shard; see `Files.prepare`."""
        self.files.prepare(self._manifest.shards[unit].tar, unit, stop)

    def release(self, shard: int) -> None:
        """Drop a fetched shard, which may be fetched again."""
        self.files.release(self._manifest.shards[shard].tar)

    def keys(self, rows: NDArray[np.int64]) -> list[str]:
        """Return the keys of `rows`, read from the provenance now."""
        return read_keys(self.files.store, self._manifest, self.shards, rows, verify=self._verify)

    def close(self) -> None:
        """Close all files and remove what was fetched to a temporary folder."""
        self.files.close()

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
        for _ in range(_READINGS):
            held = self._held(self.shards[rows])
            damage = None
            try:
                self._fill(rows, held, out)
            except DamagedMember as error:
                damage = error
            moved = [shard for shard, descriptor in held.items() if descriptor.changed()]
            if damage is not None and not moved:
                shard = self._manifest.shards[self.shards[rows[damage.position]]].tar.name
                raise IntegrityError(f"{self.files.store.uri}/{shard}: {damage}") from damage
            if not moved:
                return
            for shard in moved:
                self.files.doubt(self._manifest.shards[shard].tar, shard)
        name = self._manifest.shards[moved[0]].tar.name
        raise IntegrityError(f"{self.files.store.uri}/{name}: is written to while it is read")

    def _held(self, shards: NDArray[np.int64]) -> dict[int, Descriptor]:
        """Return the open files of some shards, compared again where they are not what they were."""
        stop = threading.Event()
        found = np.unique(shards).tolist()
        return {shard: self.files.prepare(self._manifest.shards[shard].tar, shard, stop) for shard in found}

    def _fill(self, rows: NDArray[np.int64], held: dict[int, Descriptor], out: Mapping[str, NDArray[Any]]) -> None:
        numbers = [held[shard].number for shard in self.shards[rows].tolist()]
        wanted = [self._views[name] for name in out]
        fields = sorted({view.field for view in wanted})
        alone = [field for field in fields if field != STACK]
        members = self._members(rows, numbers, alone) if alone else {}
        for field in fields:
            chosen = [view for view in wanted if view.field == field]
            try:
                if field == STACK:
                    self._fill_stacked(rows, numbers, chosen, [out[view.name] for view in chosen])
                else:
                    self._decode(members[field], chosen[0], out[chosen[0].name])
            except DamagedMember as error:
                name = f"{self.indices[rows[error.position]]:08d}.{field}"
                raise DamagedMember(error.position, f"{name}: {error}") from error

    def _fill_stacked(
        self, rows: NDArray[np.int64], numbers: Sequence[int], views: list[ViewEntry], out: list[NDArray[Any]]
    ) -> None:
        places = Places(numbers, self._table.offsets[STACK][rows], self._table.sizes[STACK][rows])
        fill_stacked(places, [self._stacked.index(view.number) for view in views], len(self._stacked), out)

    def _decode(self, members: Sequence[memoryview], view: ViewEntry, out: NDArray[Any]) -> None:
        if view.dtype == "float16":
            fill_each(members, decode_npy, out)
        elif self._manifest.encoding == "png":
            fill_png(members, out)
        else:
            fill_each(members, ENCODINGS[self._manifest.encoding].decode, out)

    def _members(
        self, rows: NDArray[np.int64], numbers: Sequence[int], fields: Sequence[str]
    ) -> dict[str, list[memoryview]]:
        """Read members of `rows` from the files open as `numbers`: all of a sample at once if they are near."""
        starts = np.stack([self._table.offsets[field][rows] for field in fields])
        ends = starts + np.stack([self._table.sizes[field][rows] for field in fields])
        near = (ends.max(0) - starts.min(0)).sum() <= _WASTE * (ends - starts).sum()
        members = {}
        for part in [slice(None)] if near else [slice(place, place + 1) for place in range(len(fields))]:
            low, high = starts[part].min(0), ends[part].max(0)
            places = zip(numbers, (high - low).tolist(), low.tolist(), strict=True)
            contents = [memoryview(content) for content in starmap(os.pread, places)]
            for field, first, last in zip(fields[part], starts[part] - low, ends[part] - low, strict=True):
                cuts = zip(contents, first.tolist(), last.tolist(), strict=True)
                members[field] = [content[start:end] for content, start, end in cuts]
        return members

"""WebDataset, the primary format: plain tar files of about equal size, shards/NAME-000000.tar and so on.

A shard holds samples in the order of their plan index; a sample's members follow each other, sorted by name::

    00000042.clean.png   00000042.json   00000042.low.png   00000042.prime-1.png

Members are called after their views, or after the views' numbers (``view1.png``) where a job says so. The JSON has
label, group, domain, severity and key. With ``encoding: npy`` one member, ``views.npy``, holds all views of a sample.

Workers write shards by `TarWriter` (`tar`); `read_shard` (`decode`) walks through one, and `ShardReader` (`reader`)
reads rows of any by the offsets in the provenance. What is known of a shard is a record of its own, so shards are
listed and verified by their records.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from passband.pipeline.formats.base import Format
from passband.pipeline.records import Manifest, StoredFile, ViewEntry
from passband.pipeline.store import Store

if TYPE_CHECKING:
    from passband.pipeline.loading.reader import Reader


class WebDataset(Format):
    """Shards, each with its record and the provenance of its samples."""

    name, title, suffix = "webdataset", "WebDataset", ""

    def files(self, manifest: Manifest) -> Sequence[StoredFile]:
        """Return the shards."""
        return [shard.tar for shard in manifest.shards]

    def open_reader(
        self,
        store: Store,
        manifest: Manifest,
        name: str,
        views: Sequence[ViewEntry],
        *,
        verify: bool,
        cache: str | Path | None,
    ) -> "Reader":
        """Return what reads `views` from the shards."""
        from passband.pipeline.formats.webdataset.reader import ShardReader

        return ShardReader(store, manifest, views, verify=verify, cache=cache)

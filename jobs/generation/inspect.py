"""Look into a finished dataset: as a whole, at one shard, at one sample."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from passband.jobs.common.wording import class_name, size
from passband.jobs.drawing.sheet import contact_sheet, spread_samples
from passband.jobs.generation.drawn import drawn_words, is_drawn
from passband.pipeline.errors import PassbandError
from passband.pipeline.formats.sample import Sample
from passband.pipeline.formats.webdataset.decode import read_shard
from passband.pipeline.loading.table import provenance_content
from passband.pipeline.manifest import read_manifest, read_record
from passband.pipeline.records import Manifest, ManifestShard
from passband.pipeline.store import Store

Row = dict[str, Any]


@dataclass(frozen=True)
class Wanted:
    """What names a sample: its key, its plan index, or a word that may be either."""

    either: str | None = None
    key: str | None = None
    index: int | None = None

    def __post_init__(self) -> None:
        given = [value for value in (self.either, self.key, self.index) if value is not None]
        if len(given) != 1:
            raise PassbandError("--sample, --key and --index each name one sample; give one of them")

    def __str__(self) -> str:
        if self.either is not None:
            return f"key or index {self.either!r}"
        return f"index {self.index}" if self.key is None else f"key {self.key!r}"

    @property
    def wanted_key(self) -> str | None:
        """The key that it may be."""
        return self.either if self.key is None else self.key

    @property
    def wanted_index(self) -> int | None:
        """The index that it may be; None for what is none."""
        index = int(self.either) if self.either is not None and self.either.isdecimal() else self.index
        return index if index is not None and 0 <= index < 2**32 else None


def wanted_sample(either: str | None, key: str | None, index: int | None) -> Wanted | None:
    """Return what is asked for by at most one of three words; None where no sample is."""
    return None if either is key is index is None else Wanted(either, key, index)


def describe(store: Store, shard: int | None, sample: Wanted | None) -> dict[str, Any]:
    """Return what is asked for as plain values: a sample's provenance, a shard's record, or a summary."""
    manifest = read_manifest(store)
    if sample is not None:
        entry, row = find_sample(store, manifest, sample, shard)
        named = {"class": class_name(row["label"], manifest.classes)}
        return {"shard": entry.tar.name, **row, **named, "drawn": drawn_words(manifest, row)}
    if shard is not None:
        entry = _shard(manifest, shard, store)
        return read_record(store, entry.shard, entry.record).model_dump()
    summary = manifest.model_dump(exclude={"shards", "bad", "classes"})
    return summary | {"classes": len(manifest.classes), "shards": len(manifest.shards), "bad": len(manifest.bad)}


def spell(found: dict[str, Any]) -> str:
    """Spell `found` as YAML, which reads well on a terminal; of a sample what was drawn stands there in words."""
    if "drawn" in found:
        members = {name.removesuffix(".size"): size(n) for name, n in found.items() if name.endswith(".size")}
        kept = {name: value for name, value in found.items() if not is_drawn(name) and not name.endswith(_PLACES)}
        found = {**kept, "members": members}
    return str(yaml.safe_dump(found, sort_keys=False, allow_unicode=True, width=100)).rstrip()


_PLACES = (".offset", ".size")


def _shard(manifest: Manifest, shard: int, store: Store) -> ManifestShard:
    if not 0 <= shard < len(manifest.shards):
        raise PassbandError(f"{store.uri}: has shards 0 to {len(manifest.shards) - 1}, there is no {shard}")
    return manifest.shards[shard]


def find_sample(
    store: Store, manifest: Manifest, wanted: Wanted, shard: int | None = None
) -> tuple[ManifestShard, Row]:
    """Return the shard and the provenance of a sample.

    Raises
    ------
    PassbandError
        If there is none, or if a word is the key of one sample and the index of another; it says how to choose.
    """
    by_key = by_index = None
    for entry in manifest.shards if shard is None else [_shard(manifest, shard, store)]:
        for row in _matching(store, entry, wanted):
            by_key = (entry, row) if row["key"] == wanted.wanted_key else by_key
            by_index = (entry, row) if row["index"] == wanted.wanted_index else by_index
        if by_key and (by_index or wanted.wanted_index is None) or by_index and wanted.wanted_key is None:
            break
    if by_key and by_index and by_key != by_index:
        raise PassbandError(
            f"{store.uri}: {wanted.either} is the key of sample {by_key[1]['index']} and the index of the sample with "
            f"key {by_index[1]['key']!r}; choose with --key {wanted.either} or --index {wanted.either}"
        )
    found = by_key or by_index
    if found is None:
        raise PassbandError(f"{store.uri}: has no sample with {wanted}{_left_out(manifest, wanted)}")
    return found[0], {name: value.hex() if isinstance(value, bytes) else value for name, value in found[1].items()}


def _matching(store: Store, entry: ManifestShard, wanted: Wanted) -> list[Row]:
    filters: list[list[tuple[str, str, str | int]]] = []
    if wanted.wanted_key is not None:
        filters.append([("key", "==", wanted.wanted_key)])
    if wanted.wanted_index is not None:
        filters.append([("index", "==", wanted.wanted_index)])
    if not filters:
        return []
    provenance = pa.BufferReader(provenance_content(store, entry))
    return list(pq.read_table(provenance, filters=filters).to_pylist())


def _left_out(manifest: Manifest, wanted: Wanted) -> str:
    """Say why a sample is not there whose image could not be read."""
    of = next((bad for bad in manifest.bad if wanted.wanted_key == bad.key or wanted.wanted_index == bad.index), None)
    return "" if of is None else f": {of.key} could not be read ({of.reason})"


def write_sheet(store: Store, target: Path, shard: int | None, sample: Wanted | None) -> None:
    """Write a contact sheet, clean beside its views: of one sample, of a shard, or spread over the classes."""
    manifest = read_manifest(store)
    found = chosen_samples(store, manifest, sample, shard)
    target.write_bytes(contact_sheet(list(found) if sample is not None else spread_samples(found), manifest))


def chosen_samples(
    store: Store, manifest: Manifest, wanted: Wanted | None, shard: int | None = None
) -> Iterator[Sample]:
    """Yield one sample, or all of a shard or of the dataset, in their stored order."""
    if wanted is not None:
        entry, row = find_sample(store, manifest, wanted, shard)
        yield from (sample for sample in read_shard(store, manifest, entry) if sample.index == row["index"])
        return
    for entry in manifest.shards if shard is None else [_shard(manifest, shard, store)]:
        yield from read_shard(store, manifest, entry)

"""Look into a finished dataset: as a whole, at one shard, at one sample."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from jobs.report.sheet import contact_sheet, spread_samples
from pipeline.errors import PassbandError
from pipeline.loading.table import provenance_content
from pipeline.manifest import Manifest, ManifestShard, read_manifest, read_record
from pipeline.shards.decode import Sample, read_shard
from pipeline.store import Store


def describe(store: Store, shard: int | None, sample: str | None) -> dict[str, Any]:
    """Return what is asked for as plain values: a sample's provenance, a shard's record, or a summary."""
    manifest = read_manifest(store)
    if sample is not None:
        entry, row = find_sample(store, manifest, sample, shard)
        return {"shard": entry.tar.name, **row}
    if shard is not None:
        entry = _shard(manifest, shard, store)
        return read_record(store, entry.shard, entry.record).model_dump()
    summary = manifest.model_dump(exclude={"shards", "bad", "classes"})
    return summary | {"classes": len(manifest.classes), "shards": len(manifest.shards), "bad": len(manifest.bad)}


def spell(found: dict[str, Any]) -> str:
    """Spell `found` as YAML, which reads well on a terminal."""
    return str(yaml.safe_dump(found, sort_keys=False, allow_unicode=True, width=100)).rstrip()


def _shard(manifest: Manifest, shard: int, store: Store) -> ManifestShard:
    if not 0 <= shard < len(manifest.shards):
        raise PassbandError(f"{store.uri}: has shards 0 to {len(manifest.shards) - 1}, there is no {shard}")
    return manifest.shards[shard]


def find_sample(
    store: Store, manifest: Manifest, wanted: str, shard: int | None = None
) -> tuple[ManifestShard, dict[str, Any]]:
    """Return the shard and the provenance of the sample with key `wanted`, or with that plan index."""
    entries = manifest.shards if shard is None else [_shard(manifest, shard, store)]
    filters: list[list[tuple[str, str, str | int]]] = [[("key", "==", wanted)]]
    if wanted.isdecimal() and int(wanted) < 2**32:
        filters.append([("index", "==", int(wanted))])
    for entry in entries:
        provenance = pa.BufferReader(provenance_content(store, entry))
        rows = pq.read_table(provenance, filters=filters).to_pylist()
        if rows:
            row = rows[0]
            return entry, {k: v.hex() if isinstance(v, bytes) else v for k, v in row.items()}
    raise PassbandError(f"{store.uri}: has no sample with key or index {wanted!r}")


def write_sheet(store: Store, target: Path, shard: int | None, sample: str | None) -> None:
    """Write a contact sheet, clean beside its views: of one sample, of a shard, or spread over the classes."""
    manifest = read_manifest(store)
    if sample is not None:
        entry, row = find_sample(store, manifest, sample, shard)
        samples = [found for found in read_shard(store, manifest, entry) if found.index == row["index"]]
    else:
        entries = manifest.shards if shard is None else [_shard(manifest, shard, store)]
        samples = spread_samples(_samples(store, manifest, entries))
    target.write_bytes(contact_sheet(samples, manifest))


def _samples(store: Store, manifest: Manifest, entries: list[ManifestShard]) -> Iterator[Sample]:
    for entry in entries:
        yield from read_shard(store, manifest, entry)

"""From the members of a stored sample back to arrays."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from passband.pipeline.checking import check_file
from passband.pipeline.documents import DocumentError, parse_json
from passband.pipeline.encodings.codec import ENCODINGS, decode_npy
from passband.pipeline.errors import IntegrityError
from passband.pipeline.formats.sample import Sample
from passband.pipeline.formats.webdataset.tar import StoredSample, read_samples
from passband.pipeline.records import Manifest, ManifestShard
from passband.pipeline.store import Store


def decode_sample(stored: StoredSample, manifest: Manifest) -> Sample:
    """Decode every view of a stored sample; raise ValueError if a member is missing or damaged."""
    known = _told(stored)
    encoding = ENCODINGS[manifest.encoding]
    stacked = [view.number for view in manifest.views if view.field == "views.npy"]
    stack = decode_npy(_member(stored, "views.npy")) if stacked else np.empty(0)
    if len(stack) != len(stacked):
        raise ValueError(f"sample {stored.index} has {len(stack)} views in views.npy, expected {len(stacked)}")
    views: list[NDArray[Any]] = []
    for view in manifest.views:
        if view.field == "views.npy":
            views.append(stack[stacked.index(view.number)])
        elif view.dtype == "float16":
            views.append(decode_npy(_member(stored, view.field)))
        else:
            views.append(encoding.decode(_member(stored, view.field)))
    return Sample(stored.index, views=views, **known)


def _told(stored: StoredSample) -> dict[str, Any]:
    """Return what the JSON of a sample says of it; raise ValueError where it does not."""
    try:
        meta = parse_json(_member(stored, "json"))
    except DocumentError as error:
        raise ValueError(f"the JSON of sample {stored.index} {error}") from error
    kinds = {"key": str, "label": int, "group": int, "domain": int, "severity": int}
    if not isinstance(meta, dict) or not all(isinstance(meta.get(name), kind) for name, kind in kinds.items()):
        raise ValueError(f"the JSON of sample {stored.index} does not hold {', '.join(kinds)}")
    return {name: meta[name] for name in kinds}


def _member(stored: StoredSample, field: str) -> bytes:
    try:
        return stored.members[field]
    except KeyError:
        raise ValueError(f"sample {stored.index} has no member {field}") from None


def read_shard(store: Store, manifest: Manifest, shard: ManifestShard, *, verify: bool = True) -> Iterator[Sample]:
    """Yield the samples of a shard; with `verify`, its hash is compared before the first one.

    Raises
    ------
    IntegrityError
        If the shard is not what its record says; it names the shard.
    """
    if verify:
        for problem in check_file(store, shard.tar, shard.shard):
            raise IntegrityError(problem.message)
    with store.open(shard.tar.name) as file:
        count = 0
        for stored in read_samples(file):
            count += 1
            try:
                yield decode_sample(stored, manifest)
            except (ValueError, KeyError) as error:
                raise IntegrityError(f"{store.uri}/{shard.tar.name}: {error}") from error
    if count != shard.samples:
        raise IntegrityError(f"{store.uri}/{shard.tar.name}: holds {count} samples, the manifest says {shard.samples}")

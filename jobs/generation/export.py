"""Derive the FFCV file of a finished dataset from its shards."""

from collections.abc import Iterator

import numpy as np

from passband.pipeline.errors import PassbandError
from passband.pipeline.formats.ffcv.beton import BetonSample, write_beton
from passband.pipeline.formats.webdataset.decode import read_shard
from passband.pipeline.manifest import write_manifest
from passband.pipeline.records import Manifest
from passband.pipeline.store import Store


def export_beton(store: Store, manifest: Manifest) -> Manifest:
    """Write NAME.beton beside the manifest, enter it there, and return the new manifest.

    Every shard's hash is checked before its samples are read, so a beton never carries a wrong pixel.

    Raises
    ------
    IntegrityError
        If a shard is not what its record says.
    PassbandError
        If FFCV cannot represent the dataset.
    """
    floats = [view.name for view in manifest.views if view.dtype != "uint8"]
    if floats:
        raise PassbandError(f"{store.uri}: views {', '.join(floats)} are float16, which FFCV's image field cannot hold")
    if not manifest.samples:
        raise PassbandError(f"{store.uri}: has no samples, and FFCV cannot represent an empty file")
    destination = f"{store.uri}/{manifest.name}.beton"
    beton = write_beton(destination, _samples(store, manifest), manifest.samples, len(manifest.views))
    return write_manifest(store, manifest.model_copy(update={"beton": beton}))


def _samples(store: Store, manifest: Manifest) -> Iterator[BetonSample]:
    for shard in manifest.shards:
        try:
            for sample in read_shard(store, manifest, shard):
                yield BetonSample(np.stack(sample.views), sample.label, sample.group, sample.index)
        except OSError as error:  # not to be taken for one of the file that is being written
            raise PassbandError(f"{store.uri}/{shard.tar.name}: cannot be read: {error}") from error

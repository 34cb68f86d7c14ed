"""Pack a finished dataset into the file of another format, from its shards."""

from collections.abc import Iterator

from passband.pipeline.errors import PassbandError
from passband.pipeline.formats.base import Export
from passband.pipeline.formats.sample import Sample
from passband.pipeline.formats.webdataset.decode import read_shard
from passband.pipeline.manifest import write_manifest
from passband.pipeline.records import Manifest
from passband.pipeline.store import Store


def write_export(store: Store, manifest: Manifest, export: Export) -> Manifest:
    """Write the file of `export` beside the manifest, enter it there, and return the new manifest.

    Every shard's hash is checked before its samples are read, so a file never carries a wrong pixel.

    Raises
    ------
    IntegrityError
        If a shard is not what its record says.
    PassbandError
        If the format cannot hold the dataset.
    """
    if problem := export.unfit(manifest):
        raise PassbandError(f"{store.uri}: {problem}")
    packed = export.pack(store, manifest, _samples(store, manifest))
    return write_manifest(store, export.entered(manifest, packed))


def _samples(store: Store, manifest: Manifest) -> Iterator[Sample]:
    for shard in manifest.shards:
        try:
            yield from read_shard(store, manifest, shard)
        except OSError as error:  # not to be taken for one of the file that is being written
            raise PassbandError(f"{store.uri}/{shard.tar.name}: cannot be read: {error}") from error

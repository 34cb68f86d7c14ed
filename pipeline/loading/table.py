"""What is known of every sample without touching a pixel: labels, groups, and where its members lie."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from passband.pipeline.errors import IntegrityError, PassbandError
from passband.pipeline.loading.columns import check_columns
from passband.pipeline.records import Manifest, ManifestShard, StoredFile
from passband.pipeline.store import Store

_READERS = 8


@dataclass(frozen=True)
class Table:
    """The samples in stored order; all columns are (N,) int64.

    Attributes
    ----------
    shards : position of the sample's shard in the manifest
    offsets, sizes : field -> where the sample's member starts in the shard, and its bytes
    """

    labels: NDArray[np.int64]
    groups: NDArray[np.int64]
    indices: NDArray[np.int64]
    shards: NDArray[np.int64]
    offsets: dict[str, NDArray[np.int64]]
    sizes: dict[str, NDArray[np.int64]]


def read_table(store: Store, manifest: Manifest, fields: Sequence[str], *, verify: bool) -> Table:
    """Read the provenance of all shards, only the columns needed; shards of an object store side by side.

    Raises
    ------
    IntegrityError
        If a file is missing or not what the manifest says; it names the file and, with `verify`, both hashes. If the
        samples, taken together, are not those that the manifest counts.
    """
    columns = ["index", "label", "group", *(f"{field}.{kind}" for field in fields for kind in ("offset", "size"))]
    with ThreadPoolExecutor(_READERS, thread_name_prefix="passband-table") as pool:
        parts = list(pool.map(lambda shard: read_provenance(store, shard, columns, verify=verify), manifest.shards))
    for shard, part in zip(manifest.shards, parts, strict=True):
        _check_places(store, shard, part, fields)

    def column(name: str) -> NDArray[np.int64]:
        values = [part[name].to_numpy().astype(np.int64) for part in parts]
        return np.concatenate([np.empty(0, np.int64), *values])

    labels, groups, indices = column("label"), column("group"), column("index")
    check_columns(manifest, labels, groups, indices, store.uri)
    return Table(
        labels,
        groups,
        indices,
        shard_positions(manifest),
        {field: column(f"{field}.offset") for field in fields},
        {field: column(f"{field}.size") for field in fields},
    )


def shard_positions(manifest: Manifest) -> NDArray[np.int64]:
    """Return the position in the manifest of every sample's shard, (N,) int64."""
    return np.repeat(np.arange(len(manifest.shards)), [shard.samples for shard in manifest.shards])


def read_provenance(store: Store, shard: ManifestShard, columns: Sequence[str], *, verify: bool) -> pa.Table:
    """Read some columns of a shard's provenance, its hash compared first."""
    where, content = f"{store.uri}/{shard.provenance.name}", provenance_content(store, shard, verify=verify)
    try:
        table = pa.parquet.read_table(pa.BufferReader(content), columns=list(columns), use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise IntegrityError(f"{where}: is not readable Parquet: {error}") from error
    absent = [name for name in columns if name not in table.column_names]
    if absent or table.num_rows != shard.samples:
        found = f"{table.num_rows} samples" + (f" and no column {', '.join(absent)}" if absent else "")
        raise IntegrityError(f"{where}: has {found}, the manifest says {shard.samples}")
    return table


def provenance_content(store: Store, shard: ManifestShard, *, verify: bool = True) -> bytes:
    """Return a shard's provenance as the Parquet file that the manifest lists, its size and hash compared."""
    where = f"{store.uri}/{shard.provenance.name}"
    try:
        content = store.read(shard.provenance.name)
    except FileNotFoundError as error:
        raise IntegrityError(f"{where}: is missing") from error
    except OSError as error:
        raise PassbandError(f"{where}: cannot be read: {error}") from error
    check_content(where, content, shard.provenance, verify=verify)
    return content


def check_content(where: str, content: bytes, expected: StoredFile, *, verify: bool) -> None:
    """Compare size and, with `verify`, hash of a whole file; raise IntegrityError naming both."""
    if len(content) != expected.bytes:
        raise IntegrityError(f"{where}: has {len(content)} bytes, the manifest says {expected.bytes}")
    found = hashlib.sha256(content).hexdigest() if verify else expected.sha256
    if found != expected.sha256:
        raise IntegrityError(f"{where}: sha256 is {found}, the manifest says {expected.sha256}")


def _check_places(store: Store, shard: ManifestShard, part: pa.Table, fields: Sequence[str]) -> None:
    for field in fields:
        offsets, sizes = (part[f"{field}.{kind}"].to_numpy() for kind in ("offset", "size"))
        if ((offsets < 0) | (sizes < 0) | (offsets + sizes > shard.tar.bytes)).any():
            raise IntegrityError(f"{store.uri}/{shard.provenance.name}: {field} lies outside {shard.tar.name}")

"""The keys of samples, read from the provenance when they are asked for."""

import numpy as np
from numpy.typing import NDArray

from passband.pipeline.loading.table import read_provenance
from passband.pipeline.records import Manifest
from passband.pipeline.store import Store


def read_keys(
    store: Store, manifest: Manifest, shards: NDArray[np.int64], rows: NDArray[np.int64], *, verify: bool
) -> list[str]:
    """Return the keys of `rows`; only the provenance of their shards is read.

    Parameters
    ----------
    shards : (N,) int64, the shard of every row, ascending
    rows : (n,) int64
    """
    found = np.empty(len(rows), object)
    owners = shards[rows]
    for shard in np.unique(owners).tolist():
        column = read_provenance(store, manifest.shards[shard], ["key"], verify=verify)["key"]
        mine = np.flatnonzero(owners == shard)
        first = np.searchsorted(shards, shard)
        found[mine] = column.take(rows[mine] - first).to_pylist()
    return found.tolist()

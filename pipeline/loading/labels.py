"""Labels that have changed places, as studies of memorization train on (Zhang et al. 2017; HFC, section 4)."""

import hashlib

import numpy as np
from numpy.typing import NDArray


def shuffled(labels: NDArray[np.int64], indices: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Return `labels` (N,) permuted by `seed`; `indices` (N,) are those of the plan, each once.

    Every sample draws a 64-bit word of Philox4x64-10 by its place among the indices, and labels are dealt out in the
    order of the words: the same whatever shards and formats the samples are stored in.
    """
    planned = np.argsort(indices, kind="stable")
    key = hashlib.sha256(f"shuffled labels {seed}".encode()).digest()[:16]
    words = np.random.Philox(key=int.from_bytes(key, "big")).random_raw(len(labels))
    found = np.empty_like(labels)
    found[planned] = labels[planned[np.argsort(words, kind="stable")]]
    return found

"""Random numbers of a training by address, so that neither a resumed call nor a number of processes changes them."""

import hashlib

import numpy as np


def key_of(*address: int | str) -> int:
    """Return a key of 128 bits for `address`, as Philox4x64 takes it."""
    digest = hashlib.sha256(" ".join(map(str, address)).encode()).digest()
    return int.from_bytes(digest[:16], "big")


def generator_at(key: int, stream: int = 0) -> np.random.Generator:
    """Return the generator of one `stream`, below 2^64, of a key; each has 2^192 blocks of its own."""
    return np.random.Generator(np.random.Philox(key=key, counter=[0, 0, 0, stream]))

"""Random numbers by address: Philox4x32-10, and normals made from its words.

An address is a 64-bit key and a counter of four 32-bit words. The key's low half is key word 0, its high half key
word 1; the counter is (index, view, stage, draw + block), and block b yields words 4b .. 4b + 3 of a stream.

Words are defined to the bit. Normals are Box-Muller pairs: of each two words (a, b),
r = sqrt(-2 ln((a | 1) / 2^32)), z0 = r cos(2 pi b / 2^32), z1 = r sin(2 pi b / 2^32).

Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011; Box & Muller 1958.
"""

import numpy as np
from numpy.typing import NDArray

from passband.kernels.elementary import cos_pi, log, sin_pi

Words = NDArray[np.uint32]

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
_LOW = np.uint64(0xFFFFFFFF)
_HIGH_SHIFT = np.uint64(32)


def split_key(key: int) -> tuple[int, int]:
    """Return the two key words (low half, high half) of a 64-bit key; raise ValueError for any other integer."""
    if not 0 <= key < 2**64:
        raise ValueError(f"key {key}: needs 64 bits, 0 <= key < 2^64")
    return key & 0xFFFFFFFF, key >> 32


def philox4x32(counter: NDArray[np.uint32], key: tuple[int, int]) -> Words:
    """Encrypt counters: (..., 4) uint32 -> (..., 4) uint32, ten rounds."""
    c0, c1, c2, c3 = (counter[..., lane].astype(np.uint64) for lane in range(4))
    for step in range(ROUNDS):
        k0, k1 = (np.uint64((key[i] + step * WEYL[i]) & 0xFFFFFFFF) for i in range(2))
        first, second = c0 * np.uint64(MULTIPLIERS[0]), c2 * np.uint64(MULTIPLIERS[1])
        c0, c1, c2, c3 = (
            (second >> _HIGH_SHIFT) ^ c1 ^ k0,
            second & _LOW,
            (first >> _HIGH_SHIFT) ^ c3 ^ k1,
            first & _LOW,
        )
    return np.stack([c0, c1, c2, c3], axis=-1).astype(np.uint32)


def check_address(key: int, indices: Words, view: int, stage: int, count: int, draw: int) -> None:
    """Raise ValueError for an address that does not fit its words."""
    split_key(key)
    if getattr(indices, "dtype", None) != np.uint32 or indices.ndim != 1:
        raise ValueError("indices: needs an (N,) array of uint32")
    for name, word in (("view", view), ("stage", stage), ("draw", draw)):
        if not 0 <= word < 2**32:
            raise ValueError(f"{name} {word}: needs 32 bits, 0 <= {name} < 2^32")
    if count < 0 or draw + (count + 3) // 4 > 2**32:
        raise ValueError(f"count {count}: a stream has 2^32 blocks of four words, this one starts at block {draw}")


def words(key: int, indices: Words, view: int, stage: int, count: int, draw: int = 0) -> Words:
    """Return the first `count` words of each stream from block `draw` on.

    Parameters
    ----------
    key : int, 64 bits
    indices : (N,) uint32
    view, stage, draw : int, 32 bits each
    count : int

    Returns
    -------
    (N, count) uint32

    Raises
    ------
    ValueError
        If a part of the address does not fit, or the stream would run past its last block.
    """
    check_address(key, indices, view, stage, count, draw)
    blocks = (count + 3) // 4
    counter = np.empty((len(indices), blocks, 4), np.uint32)
    counter[..., 0] = indices[:, None]
    counter[..., 1] = view
    counter[..., 2] = stage
    counter[..., 3] = draw + np.arange(blocks)
    return philox4x32(counter, split_key(key)).reshape(len(indices), 4 * blocks)[:, :count]


def normals(key: int, indices: Words, view: int, stage: int, count: int, draw: int = 0) -> NDArray[np.float64]:
    """Return `count` standard normals of each stream, (N, count) float64, from block `draw` on.

    Normal z comes from block ``draw + z // 4``, lane ``z % 4``; parameters and errors as `words`.
    """
    check_address(key, indices, view, stage, count, draw)
    num_pairs = (count + 1) // 2
    pairs = words(key, indices, view, stage, 2 * num_pairs, draw).reshape(len(indices), num_pairs, 2)
    radius = np.sqrt(-2 * log((pairs[..., 0] | np.uint32(1)) * 2.0**-32))
    half_turns = pairs[..., 1] * 2.0**-31
    both = np.stack([radius * cos_pi(half_turns), radius * sin_pi(half_turns)], axis=-1)
    return both.reshape(len(indices), 2 * num_pairs)[:, :count]

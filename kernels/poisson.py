"""Poisson counts by inversion, as a table: where the count of each of 256 levels steps up."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class PoissonTable(NamedTuple):
    """Where the count of each of 256 levels steps up.

    Attributes
    ----------
    steps : (S,) uint32
        The levels' steps one after another: a word above ``steps[starts[level] + i]`` has more than least + i counts.
    starts, least : (256,) int64
    guide : (256, 256) int64
        Place in `steps` to start from, by level and the upper eight bits of the word.
    """

    steps: NDArray[np.uint32]
    starts: NDArray[np.int64]
    least: NDArray[np.int64]
    guide: NDArray[np.int64]


@lru_cache(maxsize=16)
def poisson_table(rate: float) -> PoissonTable:
    """Return the table of mean counts rate level / 255, from +, -, *, / and square roots alone."""
    if not 0 < rate < 2**20:
        raise ValueError(f"rate {rate}: needs more than 0 and less than 2^20 counts")
    levels = [_poisson_steps(level * rate / 255) for level in range(256)]
    starts = np.cumsum([0] + [len(steps) for _, steps in levels[:-1]])
    bins = np.arange(256, dtype=np.uint32) << np.uint32(24)
    guide = np.stack([np.searchsorted(steps, bins) for _, steps in levels]) + starts[:, None]
    return PoissonTable(
        np.concatenate([steps for _, steps in levels]), starts, np.array([least for least, _ in levels]), guide
    )


def _poisson_steps(mean: float) -> tuple[int, NDArray[np.uint32]]:
    """Return the least count, and for it and each larger one the last word that has it or less; ends with 2^32 - 1.

    Probabilities come relative to that of the mode, by the ratio of neighbours, so no exponential is needed.
    """
    mode, reach = int(mean), int(9 * np.sqrt(mean)) + 20  # beyond 9 sigma + 20 lies less than 2^-40
    first = max(0, mode - reach)
    below = np.cumprod(np.arange(mode, first, -1) / mean) if mean else np.empty(0)
    above = np.cumprod(mean / np.arange(mode + 1, mode + reach + 1))
    cumulated = np.cumsum(np.concatenate([below[::-1], [1.0], above]))
    last_words = np.floor(cumulated / cumulated[-1] * 2.0**32 - 0.5)
    last_words[-1] = 2.0**32 - 1
    start, stop = int(np.argmax(last_words >= 0)), int(np.argmax(last_words == 2.0**32 - 1))
    return first + start, last_words[start : stop + 1].astype(np.uint32)

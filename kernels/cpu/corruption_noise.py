"""Noise of the common corruptions in float32. Poisson counts are looked up: one search in a table of words a value."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.checks import check_float32, check_shape, writable
from kernels.cpu.arrays import borrowed
from kernels.cpu.chunks import chunk_rows
from kernels.cpu.compile import kernel
from kernels.cpu.threads import for_ranges

Images = NDArray[np.float32]
Words = NDArray[np.uint32]


def gaussian_noise(images: Images, scale: float, normals: NDArray[np.float32]) -> Images:
    """Return x + scale z.

    Parameters
    ----------
    images, normals : (N, C, H, W) float32
    scale : float

    Returns
    -------
    (N, C, H, W) float32, not clipped
    """
    images = check_float32(images)
    check_shape("normals", normals, *images.shape)
    out = np.multiply(normals, np.float32(scale), dtype=np.float32)
    out += images
    return out


def impulse_noise(images: Images, amount: float, words: Words) -> Images:
    """Replace a share of the values by 1 or 0: a word below amount 2^32 strikes, below half of that it is salt.

    Parameters
    ----------
    images : (N, C, H, W) float32
    amount : float in [0, 1]
    words : (N, C, H, W) uint32

    Returns
    -------
    (N, C, H, W) float32
    """
    images = check_float32(images)
    check_shape("words", words, *images.shape)
    threshold = round(amount * 2**32)
    if threshold == 0:
        return images.copy()
    # Words up to the last that strikes; those up to the middle are salt.
    replaced = (words <= np.uint32((threshold - 1) // 2)).astype(np.float32)
    return np.where(words <= np.uint32(threshold - 1), replaced, images)


def shot_noise(images: Images, rate: float, words: Words) -> Images:
    """Return k / rate, k Poisson of mean rate x: the least k with CDF(k) >= (word + 1/2) / 2^32.

    Parameters
    ----------
    images : (N, C, H, W) float32
        Taken to the nearest of the 256 levels of [0, 1], as the images of the published code are.
    rate : float, above 0
        Mean count where x = 1.
    words : (N, C, H, W) uint32

    Returns
    -------
    (N, C, H, W) float32, not clipped
    """
    images = check_float32(images)
    check_shape("words", words, *images.shape)
    table, size = poisson_table(float(rate)), int(np.prod(images.shape[1:]))
    rows, drawn = images.reshape(len(images), size), writable(words, np.uint32).reshape(len(images), size)
    out = np.empty_like(rows)

    def work(start: int, stop: int) -> None:
        _shot_range(out, rows, drawn, table, np.float32(rate), start, stop)

    for_ranges(work, len(rows), chunk_rows(len(rows), size))
    return out.reshape(images.shape)


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


@kernel
def _shot_range(out, images, words, table, rate, start, stop):
    out, images, words, table = borrowed((out, images, words, table))
    for n in range(start, stop):
        for i in range(images.shape[1]):
            x = np.float64(images[n, i])
            level = np.intp(np.rint(x * 255.0)) if 0.0 < x < 1.0 else (255 if x >= 1.0 else 0)  # NaN has no level
            word = words[n, i]
            place = table.guide[level, np.intp(word >> np.uint32(24))]
            while table.steps[place] < word:
                place += 1
            out[n, i] = np.float32(table.least[level] + place - table.starts[level]) / rate

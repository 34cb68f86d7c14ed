"""Noise of the common corruptions in float32. Poisson counts are looked up: one search in a table of words a value."""

import numpy as np
from numpy.typing import NDArray

from passband.kernels.checks import check_float32, check_shape, writable
from passband.kernels.contract import documented
from passband.kernels.cpu.arrays import borrowed
from passband.kernels.cpu.chunks import chunk_rows
from passband.kernels.cpu.compile import kernel
from passband.kernels.cpu.threads import for_ranges
from passband.kernels.poisson import poisson_table

Images = NDArray[np.float32]
Words = NDArray[np.uint32]


@documented
def gaussian_noise(images: Images, scale: float, normals: NDArray[np.float32]) -> Images:
    images = check_float32(images)
    check_shape("normals", normals, *images.shape)
    out = np.multiply(normals, np.float32(scale), dtype=np.float32)
    out += images
    return out


@documented
def impulse_noise(images: Images, amount: float, words: Words) -> Images:
    images = check_float32(images)
    check_shape("words", words, *images.shape)
    threshold = round(amount * 2**32)
    if threshold == 0:
        return images.copy()
    # Words up to the last that strikes; those up to the middle are salt.
    replaced = (words <= np.uint32((threshold - 1) // 2)).astype(np.float32)
    return np.where(words <= np.uint32(threshold - 1), replaced, images)


@documented
def shot_noise(images: Images, rate: float, words: Words) -> Images:
    images = check_float32(images)
    check_shape("words", words, *images.shape)
    table, size = poisson_table(float(rate)), int(np.prod(images.shape[1:]))
    rows, drawn = images.reshape(len(images), size), writable(words, np.uint32).reshape(len(images), size)
    out = np.empty_like(rows)

    def work(start: int, stop: int) -> None:
        _shot_range(out, rows, drawn, table, np.float32(rate), start, stop)

    for_ranges(work, len(rows), chunk_rows(len(rows), size))
    return out.reshape(images.shape)


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

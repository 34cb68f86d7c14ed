"""PRIME views of small images: one block makes a view, and device memory is read once and written once."""

from typing import Any, NamedTuple

import numpy as np

from passband.kernels.cuda.arrays import Array, contiguous, empty
from passband.kernels.cuda.device import current, defines, int32
from passband.kernels.cuda.pixels import unfilled_pixels
from passband.kernels.cuda.prime_records import RECORD, Records

LEAST_SIDE = 16
"""Smaller images are not worth a kernel of their own: each shape is compiled for."""
MOST_THREADS = 256
MOST_VALUES = 12
"""Of an image in the registers of one thread, beside what a step needs."""
MOST_SHARED_BYTES = 48 * 1024
"""Four such blocks share a multiprocessor of 228 KiB, three one of 164."""
SEGMENT = 100
"""``COLOR_SEGMENT`` of ``color.cuh``."""


class Fused(NamedTuple):
    """How images of one shape are made in one kernel.

    Attributes
    ----------
    options : compiler options
    threads : int, of a block
    shared_bytes : int, of a block
    """

    options: tuple[str, ...]
    threads: int
    shared_bytes: int


def plan(channels: int, height: int, width: int, size: int) -> Fused | None:
    """Return how (C, H, W) images with K x K filters are made in one kernel, None if they are too small or large."""
    pairs = (height + 1) // 2 * width
    own = -(-pairs // MOST_THREADS)
    if min(height, width) < LEAST_SIDE or 2 * own * channels > MOST_VALUES:
        return None
    threads = -(-pairs // own)  # so that no thread has an empty place, where that is possible
    modes = (height - 2) * (width - 2)
    work = max(2 * modes + 2 * (height - 2) * width, channels * SEGMENT, size * size)
    bases = [n_modes * ((n_modes + 3) // 2) for n_modes in (height - 2, width - 2)]
    values = channels * height * width
    shared_bytes = 4 * sum(_round_up(floats, 4) for floats in (values, values, *bases, work))
    if shared_bytes > MOST_SHARED_BYTES:
        return None
    shape = {"CHANNELS": channels, "HEIGHT": height, "WIDTH": width}
    return Fused(defines({**shape, "THREADS": threads}), threads, shared_bytes)


def fused_views(
    fused: Fused, images: Array, records: Records, address: tuple[Any, ...], weights: Array, size: int
) -> Array:
    """Return the views of images that lie on the device; parameters as `general_views`."""
    views = empty(images.shape)
    _start(fused, "prime_views", images, records, address, weights, size, views)
    return views


def fused_rounded(
    fused: Fused, images: Array, records: Records, address: tuple[Any, ...], weights: Array, size: int
) -> tuple[Array, Array]:
    """Return the views rounded to pixels, as `kernels.cuda.pixels.round_pixels` does; parameters as `fused_views`."""
    pixels, first_bad = unfilled_pixels(images.shape)
    _start(fused, "prime_rounded", images, records, address, weights, size, pixels, first_bad)
    return pixels, first_bad


def _start(
    fused: Fused,
    name: str,
    images: Array,
    records: Records,
    address: tuple[Any, ...],
    weights: Array,
    size: int,
    *results: Array,
) -> None:
    words = contiguous(records.view(np.int32).reshape(*records.shape, RECORD.itemsize // 4))
    kernel = current().kernel("prime_fused.cu", name, fused.options, fused.shared_bytes)
    arguments = images, words, *address, weights, *int32(*records.shape[1:], size), *results
    kernel((len(images),), (fused.threads,), arguments, shared_mem=fused.shared_bytes)


def _round_up(count: int, multiple: int) -> int:
    return -(-count // multiple) * multiple

"""PRIME views of images of any size: each primitive one launch over all images that take it at the same time.

An image goes to and fro between two buffers, one step a way; images that take fewer steps wait where they are.
"""

from typing import Any

import numpy as np

from passband.kernels.cuda.arrays import Array, contiguous, empty
from passband.kernels.cuda.color import THREADS, runs_of
from passband.kernels.cuda.device import int32, launch
from passband.kernels.cuda.prime_records import RECORD, Group, Records, in_order
from passband.kernels.cuda.sine import field_of
from passband.kernels.cuda.stencil import filter_rows
from passband.kernels.cuda.warp import warp_rows
from passband.kernels.prime_steps import COLOR, NOISE, SPATIAL, SPECTRAL

FIELD_BYTES = 2**28
"""Of coefficients and displacements that may exist at once."""


class _Steps:
    """Steps of one group, on the host and on the device."""

    def __init__(self, records: Records, packed: Array, rows: Array, reach: Array) -> None:
        self.records, self.packed, self.rows, self.reach = records, packed, rows, reach

    def __len__(self) -> int:
        return len(self.records)

    def part(self, start: int, stop: int) -> "_Steps":
        here = slice(start, stop)
        return _Steps(self.records[here], self.packed[here], self.rows[here], self.reach[here])


def general_views(images: Array, records: Records, address: tuple[Any, ...], weights: Array, size: int) -> Array:
    """Return the views of images that lie on the device.

    Parameters
    ----------
    images : (N, C, H, W) float32, N at least 1
    records : (N, M, S), as `pack` makes them, M at least 1
    address : as `address_of` makes it
    weights : (N, M + 1) float32
    size : int
        Side of the spectral filter.

    Returns
    -------
    (N, C, H, W) float32
    """
    ordered, groups, taken = in_order(records)
    words = contiguous(ordered.view(np.int32).reshape(len(ordered), RECORD.itemsize // 4))
    whole = _Steps(ordered, words, contiguous(ordered["row"]), contiguous(ordered["reach"]))
    steps, buffers, views = contiguous(taken), (empty(images.shape), empty(images.shape)), empty(images.shape)
    for chain in range(len(taken)):
        for group in (group for group in groups if group.chain == chain):
            source = images if group.slot == 0 else buffers[(group.slot - 1) % 2]
            _apply(buffers[group.slot % 2], source, group, whole.part(group.start, group.stop), address, size)
        sizes = *int32(chain, weights.shape[1], images[0].size), np.int64(images.size)
        arguments = images, *buffers, steps[chain], weights, *sizes, views
        launch("prime_general.cu", "mix_chain", images.size, arguments)
    return views


def _apply(target: Array, source: Array, group: Group, steps: _Steps, address: tuple[Any, ...], size: int) -> None:
    if group.kind == SPECTRAL:
        _spectral(target, source, steps, address, size)
    elif group.kind == SPATIAL:
        height, width = source.shape[2:]
        each = 4 * 2 * 3 * height * width
        count = max(1, FIELD_BYTES // each)
        for start in range(0, len(steps), count):
            _spatial(target, source, steps.part(start, start + count), address)
    elif group.kind == COLOR:
        _color(target, source, steps, address)
    elif group.kind == NOISE:
        values = source[0].size
        threads = len(steps) * ((values + 3) // 4)
        arguments = source, steps.packed, *address, np.int32(values), np.int64(threads), target
        launch("prime_general.cu", "noise_steps", threads, arguments)


def _spectral(target: Array, source: Array, steps: _Steps, address: tuple[Any, ...], size: int) -> None:
    weights = empty((len(steps), size, size))
    threads = len(steps) * ((size * size + 3) // 4)
    arguments = steps.packed, *address, np.int32(size), np.int64(threads), weights
    launch("prime_general.cu", "draw_filters", threads, arguments)
    filter_rows(target, source, steps.rows, weights)


def _spatial(target: Array, source: Array, steps: _Steps, address: tuple[Any, ...]) -> None:
    height, width = source.shape[2:]
    b = empty((len(steps), 2, height - 2, width - 2))
    threads = len(steps) * ((height - 1) // 2) * (width - 2)
    arguments = steps.packed, *address, *int32(height, width), np.int64(threads), b
    launch("prime_general.cu", "draw_modes", threads, arguments)
    warp_rows(target, source, steps.rows, field_of(b, steps.reach, height, width), clip=True)


def _color(target: Array, source: Array, steps: _Steps, address: tuple[Any, ...]) -> None:
    _, channels, height, width = source.shape
    terms = int((steps.records["last"] - steps.records["first"]).max()) + 1
    coefficients = empty((len(steps), channels, terms))
    threads = len(steps) * channels * ((terms + 6) // 4)
    sizes = *int32(channels, terms), np.int64(threads)
    launch("prime_general.cu", "draw_colors", threads, (steps.packed, *address, *sizes, coefficients))
    runs = runs_of(height * width)
    arguments = source, steps.packed, coefficients, *int32(channels, height * width, terms, runs), target
    launch("prime_general.cu", "color_steps", len(steps) * channels * runs * THREADS, arguments, block=THREADS)

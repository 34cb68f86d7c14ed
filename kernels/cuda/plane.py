"""Spectral operators on whole planes in shared memory: how a side is taken apart, and one launch for all planes.

A fused kernel reads and writes each pixel once. `FFT` routes of `kernels.cuda.frequency` and `kernels.cuda.spectral`
take the planes of every other size, and agree with it within rounding.
"""

import math
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from passband.kernels.cuda.arrays import Array, contiguous
from passband.kernels.cuda.device import Device, current, defines


class Layout(NamedTuple):
    """How `plane.cuh` transforms a side: first * second points, in `threads` threads a block.

    The strides, in complex numbers, have the fewest bank conflicts over all steps, by counting them.
    """

    first: int
    second: int
    threads: int
    group_stride: int
    row_stride: int


LAYOUTS = {
    16: Layout(4, 4, 32, 6, 28),
    28: Layout(7, 4, 128, 6, 53),
    32: Layout(4, 8, 64, 10, 41),
    64: Layout(8, 8, 256, 10, 81),
    224: Layout(14, 16, 448, 18, 253),
}
"""Side -> layout, of the sides that have a fused kernel."""

DEFAULT_LIMIT = 64

_limit = DEFAULT_LIMIT


def set_fused_limit(side: int = DEFAULT_LIMIT) -> int:
    """Let fused kernels take sides up to `side` in this process, and return the limit before.

    A plane of side 224 takes 227 kB of shared memory, which is one block a multiprocessor and only on sm_90 and sm_100.
    Whether that is faster than three passes of FFTs can only be timed on such a GPU, so by default it is not used.
    """
    global _limit
    before, _limit = _limit, side
    return before


def fused(height: int, width: int) -> bool:
    """Return whether planes of this size have a fused kernel that the current device can run."""
    return height == width <= _limit and width in LAYOUTS and shared_bytes(width) <= current().shared_bytes


def shared_bytes(side: int) -> int:
    """Return the shared memory that a plane takes, and a sum of each warp's."""
    return 8 * (side // 2 * LAYOUTS[side].row_stride + LAYOUTS[side].threads // 32)


def options(side: int) -> tuple[str, ...]:
    """Return the compiler options of the fused kernels for this side."""
    return defines({"SIDE": side} | {name.upper(): value for name, value in LAYOUTS[side]._asdict().items()})


def launch_planes(source: str, name: str, planes: Array, *args: Any) -> None:
    """Start one block for each of `planes` (..., side, side); the kernel takes them, the roots of unity, and `args`."""
    side = planes.shape[-2]
    count = math.prod(planes.shape[:-2])
    if count:
        device, needed = current(), shared_bytes(side)
        kernel = device.kernel(source, name, options(side), needed)
        kernel((count,), (LAYOUTS[side].threads,), (planes, _roots(device, side), *args), shared_mem=needed)


@cache
def _roots(device: Device, side: int) -> Array:
    """Return exp(-2 pi i j / side) for every j, each rounded once: (side,) complex64."""
    roots = contiguous(np.exp(-2j * np.pi * np.arange(side) / side).astype(np.complex64))
    device.synchronize()  # later calls may come on another stream
    return roots

"""Bilinear warps: gathers, one thread a pixel."""

from typing import Any

import numpy as np

from passband.kernels.checks import check_shape
from passband.kernels.contract import documented
from passband.kernels.cuda.arrays import Array, as_images, contiguous, empty
from passband.kernels.cuda.device import current, int32, launch
from passband.kernels.family_checks import check_choice


@documented
def warp(images: Any, displacement: Any) -> Array:
    x = as_images(images)
    check_shape("displacement", displacement, len(x), 2, *x.shape[2:])
    out = empty(x.shape)
    warp_rows(out, x, current().xp.arange(len(x), dtype=np.int32), contiguous(displacement, np.float32))
    return out


def warp_rows(target: Array, source: Array, rows: Array, displacement: Array, *, clip: bool = False) -> None:
    """Warp some samples of `source` into the same places of `target`.

    Parameters
    ----------
    target, source : (N, C, H, W) float32
    rows : (G,) int32, which samples
    displacement : (G, 2, H, W) float32
    clip : bool
        Bring what rounding lifted out of [0, 1] back.
    """
    _, channels, height, width = source.shape
    pixels = len(rows) * height * width
    sizes = *int32(channels, height, width), np.int64(pixels), np.int32(clip)
    launch("warp.cu", "warp", pixels, (source, rows, displacement, *sizes, target))


@documented
def warp_reflected(images: Any, displacement: Any, border: str) -> Array:
    x = as_images(images)
    check_choice("border", border, ("reflect", "mirror"))
    check_shape("displacement", displacement, len(x), 2, *x.shape[2:])
    out = empty(x.shape)
    pixels = len(x) * x.shape[2] * x.shape[3]
    sizes = *int32(*x.shape[1:]), np.int64(pixels), np.int32(border == "reflect")
    launch("warp.cu", "warp_reflected", pixels, (x, contiguous(displacement, np.float32), *sizes, out))
    return out

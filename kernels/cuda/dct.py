"""Operators on the DCT-II as products with small matrices.

A corner of coefficients, and their flip, act on rows and columns alike, each by itself: with D the orthonormal DCT-II
that is M = D' E D, E diagonal or reversing. These matrices are symmetric, so an image X becomes M_H X M_W.
"""

from functools import cache
from typing import Any

import numpy as np
import scipy  # its parts are imported when first used

from passband.kernels.contract import documented
from passband.kernels.cuda.arrays import Array, as_images, contiguous, empty
from passband.kernels.cuda.device import Device, current
from passband.kernels.cuda.fourier import chunks
from passband.kernels.cuda.matrix import multiply
from passband.kernels.family_checks import check_choice, check_count

MOST_FLOAT = 64


@documented
def dct_filter(images: Any, size: int, keep: str) -> Array:
    """A projection of the columns and one of the rows: a matrix product each."""
    images = as_images(images)
    check_choice("keep", keep, ("low", "high"))
    check_count("size", size, min(images.shape[2:]))
    return multiply_sides(images, keep, size)


@documented
def dct_flip(images: Any) -> Array:
    return multiply_sides(as_images(images), "flip")


def multiply_sides(images: Array, operator: str, size: int = 0) -> Array:
    """Return M_H X M_W for every plane X of `images`, M by `operator` and `size` as `matrix` has them.

    Notes
    -----
    An error of up to (H + W) 2^-24 times the largest row sums of |M_H| and |M_W|: beyond `MOST_FLOAT` pixels a side
    that may pass 1e-6, and the sums are taken in float64.
    """
    out = empty(images.shape)
    dtype = np.dtype(np.float32 if max(images.shape[2:]) <= MOST_FLOAT else np.float64)
    upright, level = (matrix(current(), side, operator, size, dtype) for side in images.shape[2:])
    for planes, results in chunks(images, out):
        results[...] = multiply(multiply(upright, planes.astype(dtype, copy=False)), level)
    return out


@cache
def matrix(device: Device, side: int, operator: str, size: int, dtype: np.dtype[Any]) -> Array:
    """Return the matrix of one direction: (side, side), each entry rounded once.

    Parameters
    ----------
    operator : "low" or "high", keep the `size` lowest or highest coefficients; "flip", reverse them
    """
    transform = scipy.fft.dct(np.eye(side), axis=0, norm="ortho")
    kept = {"low": transform[:size], "high": transform[side - size :], "flip": transform}[operator]
    after = kept[::-1] if operator == "flip" else kept
    total = np.zeros((side, side))
    for row, column in zip(after, kept, strict=True):  # in this order, where a library's depends on the processor
        total += np.multiply.outer(column, row)
    product = contiguous(total.astype(dtype))
    device.synchronize()  # later calls may come on another stream
    return product

"""Operators on the DCT-II as products with small matrices.

A corner of coefficients, and their flip, act on rows and columns alike, each by itself: with D the orthonormal DCT-II
that is M = D' E D, E diagonal or reversing. These matrices are symmetric, so an image X becomes M_H X M_W.
"""

from functools import cache

import numpy as np
import scipy.fft

from kernels.cuda.arrays import Array, contiguous, empty
from kernels.cuda.device import Device, current
from kernels.cuda.fourier import chunks
from kernels.cuda.matrix import multiply


def multiply_sides(images: Array, operator: str, size: int = 0) -> Array:
    """Return M_H X M_W for every plane X of `images`, M by `operator` and `size` as `matrix` has them.

    Notes
    -----
    An error of up to (H + W) 2^-24 times the largest row sums of |M_H| and |M_W|.
    """
    out = empty(images.shape)
    upright, level = (matrix(current(), side, operator, size) for side in images.shape[2:])
    for planes, results in chunks(images, out):
        results[...] = multiply(multiply(upright, planes), level)
    return out


@cache
def matrix(device: Device, side: int, operator: str, size: int) -> Array:
    """Return the matrix of one direction: (side, side) float32, each entry rounded once.

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
    product = contiguous(total.astype(np.float32))
    device.synchronize()  # later calls may come on another stream
    return product

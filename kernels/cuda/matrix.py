"""Products of small matrices whose bits do not depend on the batch, which a library's may."""

from math import prod
from typing import Any

import numpy as np

from passband.kernels.cuda.arrays import Array, contiguous, empty
from passband.kernels.cuda.device import current, defines, int32

_TILE = 16


def multiply(left: Any, right: Any) -> Array:
    """Return left @ right.

    Parameters
    ----------
    left : (..., R, K) or (R, K), float32 or float64
    right : (..., K, S) or (K, S), of the same type
        Of the two one may be a single matrix; else their leading axes are equal.

    Returns
    -------
    (..., R, S) of that type
    """
    left, right = contiguous(left), contiguous(right)
    (*_, rows, terms), (*_, columns) = left.shape, right.shape
    lead = left.shape[:-2] if left.ndim >= right.ndim else right.shape[:-2]
    out = empty((*lead, rows, columns), left.dtype)
    if not out.size:
        return out
    strides = (np.int64(prod(array.shape[-2:]) if array.ndim > 2 else 0) for array in (left, right))
    blocks = prod(lead) * -(-rows // _TILE) * -(-columns // _TILE)
    real = {4: "float", 8: "double"}[left.dtype.itemsize]
    kernel = current().kernel("matrix.cu", "multiply", defines({"REAL": real}))
    args = left, right, *strides, *int32(rows, terms, columns), out
    kernel((blocks,), (_TILE**2,), args, shared_mem=2 * _TILE * (_TILE + 1) * left.dtype.itemsize)
    return out

"""Weighted sums of chains."""

from typing import Any

import numpy as np

from passband.kernels.checks import check_shape
from passband.kernels.contract import documented
from passband.kernels.cuda.arrays import Array, contiguous, empty
from passband.kernels.cuda.device import launch


@documented
def mix(chains: Any, weights: Any) -> Array:
    check_shape("chains", chains, *[None] * 5)
    check_shape("weights", weights, chains.shape[1], chains.shape[0])
    x, w = contiguous(chains, np.float32), contiguous(weights, np.float32)
    out = empty(x.shape[1:])
    size = out.size // max(len(out), 1)
    launch("mix.cu", "mix", out.size, (x, w, np.int32(len(x)), np.int64(size), np.int64(out.size), out))
    return out

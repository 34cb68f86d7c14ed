"""Whole PRIME views: small images in one kernel, others step by step.

Where each normal lies in the stream of its step: `kernels.prime_steps.PrimeSteps`.
"""

from typing import Any

import numpy as np

from kernels.checks import check_images, check_steps
from kernels.cuda.arrays import Array, as_images, contiguous
from kernels.cuda.prime_fused import fused_views, plan
from kernels.cuda.prime_general import general_views
from kernels.cuda.prime_records import address_of, pack
from kernels.prime_steps import PrimeSteps


def prime_views(images: Any, steps: PrimeSteps) -> Array:
    """Return the PRIME views of a batch: chains of primitives, mixed with the clean image.

    Parameters
    ----------
    images : (N, C, H, W) float32, values in [0, 1]
    steps : PrimeSteps, arrays of the host

    Returns
    -------
    (N, C, H, W) float32

    Raises
    ------
    ValueError
        For images that are not float32, or steps that are not what `PrimeSteps` says.

    Notes
    -----
    PRIME (Modas et al. 2022), algorithm 1. A view's bits depend on its image and steps alone, not on the batch.
    """
    check_images(images)
    check_steps(steps, len(images))
    x, weights = as_images(images), contiguous(np.asarray(steps.weights, np.float32))
    if not x.size:
        return x.copy()
    if not steps.kinds.shape[1]:  # no chains
        return x * weights[:, :, None, None]
    _, channels, height, width = x.shape
    drawn = pack(steps, height, width), address_of(steps), weights, steps.size
    fused = plan(channels, height, width, steps.size)
    return general_views(x, *drawn) if fused is None else fused_views(fused, x, *drawn)

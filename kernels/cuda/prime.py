"""Whole PRIME views: small images in one kernel, others step by step.

Where each normal lies in the stream of its step: `kernels.prime_steps.PrimeSteps`.
"""

from typing import Any

import numpy as np

from passband.kernels.checks import check_images, check_steps
from passband.kernels.contract import documented
from passband.kernels.cuda.arrays import Array, as_images, contiguous
from passband.kernels.cuda.pixels import round_pixels
from passband.kernels.cuda.prime_fused import Fused, fused_rounded, fused_views, plan
from passband.kernels.cuda.prime_general import general_views
from passband.kernels.cuda.prime_records import address_of, pack
from passband.kernels.prime_steps import PrimeSteps


@documented
def prime_views(images: Any, steps: PrimeSteps) -> Array:
    """Steps are arrays of the host. A view's bits depend on its image and steps alone, not on the batch."""
    x = _checked(images, steps)
    if not _is_work(x, steps):
        return x * _weights(steps)[:, :1, None, None]
    fused = _plan(x, steps)
    drawn = _drawn(x, steps)
    return general_views(x, *drawn) if fused is None else fused_views(fused, x, *drawn)


def prime_rounded(images: Any, steps: PrimeSteps) -> tuple[Array, Array]:
    """Return `prime_views` rounded to pixels, without the images between where they are made in one kernel.

    Returns
    -------
    pixels, first_bad : as `kernels.cuda.pixels.round_pixels`
    """
    x = _checked(images, steps)
    fused = _plan(x, steps) if _is_work(x, steps) else None
    return round_pixels(prime_views(x, steps)) if fused is None else fused_rounded(fused, x, *_drawn(x, steps))


def _checked(images: Any, steps: PrimeSteps) -> Array:
    check_images(images)
    check_steps(steps, len(images))
    return as_images(images)


def _is_work(x: Array, steps: PrimeSteps) -> bool:
    """Return whether there are images, and chains."""
    return bool(x.size and steps.kinds.shape[1])


def _plan(x: Array, steps: PrimeSteps) -> Fused | None:
    _, channels, height, width = x.shape
    return plan(channels, height, width, steps.size)


def _weights(steps: PrimeSteps) -> Array:
    return contiguous(np.asarray(steps.weights, np.float32))


def _drawn(x: Array, steps: PrimeSteps) -> tuple[Any, ...]:
    return pack(steps, *x.shape[2:]), address_of(steps), _weights(steps), steps.size

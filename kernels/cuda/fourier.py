"""FFTs of planes of any size by the device's library, a fixed number of planes at a time.

cuFFT may take another algorithm for another batch, and makes a plan for each: every transform of a size is the same
one, of as many planes, the last filled up with zeros. So a plane's bits depend on nothing beside it.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

from passband.kernels.cuda.arrays import Array, empty
from passband.kernels.cuda.device import current

CHUNK_BYTES = 12 << 20
"""Of images at a time: with their spectra and the result three times that, which the smallest L2 (sm_80's) holds."""

MOST_PLANES = 256
"""At a time: small planes would otherwise be filled up with many times what a batch has."""


def filter_spectra(images: Array, operate: Callable[[Array], None]) -> Array:
    """Return images whose half spectra `operate` has changed in place.

    Parameters
    ----------
    images : (N, C, H, W) float32, of the device and contiguous
    operate : function of (planes, H, W//2 + 1) complex64
    """
    out = empty(images.shape)
    for planes, results in chunks(images, out):
        spectra = forward(planes)
        operate(spectra)
        results[...] = inverse(spectra, images.shape[3])
    return out


def at_a_time(height: int, width: int) -> int:
    """Return how many planes of this size are transformed at a time."""
    return min(MOST_PLANES, max(1, CHUNK_BYTES // (4 * height * width)))


def chunks(images: Array, *others: Array) -> Iterator[tuple[Array, ...]]:
    """Yield the planes of images (N, C, H, W) and of others (N, C, H, any) side by side, `at_a_time` of them."""
    planes = [batch.reshape(math.prod(batch.shape[:2]), *batch.shape[2:]) for batch in (images, *others)]
    step = at_a_time(*images.shape[2:])
    for start in range(0, len(planes[0]), step):
        yield tuple(part[start : start + step] for part in planes)


def forward(planes: Array) -> Array:
    """Return half spectra, contiguous: (planes, H, W) float32 -> (planes, H, W//2 + 1) complex64."""
    spectra = current().fft.rfft2(_filled_up(planes, planes.shape[2]))
    return current().xp.ascontiguousarray(spectra)[: len(planes)]


def inverse(spectra: Array, width: int) -> Array:
    """Return the images of half spectra, whose first and middle column must be those of real images.

    cuFFT leaves open what it makes of others. The spectra may be overwritten.
    """
    filled, size = _filled_up(spectra, width), (spectra.shape[1], width)
    result: Any = current().fft.irfft2(filled, s=size, overwrite_x=True)
    return result[: len(spectra)]


def _filled_up(planes: Array, width: int) -> Array:
    """Return as many planes as are transformed at a time, of images of this width: those given, and zeros."""
    count = at_a_time(planes.shape[1], width)
    if len(planes) == count:
        return planes
    filled = current().xp.zeros((count, *planes.shape[1:]), planes.dtype)
    filled[: len(planes)] = planes
    return filled

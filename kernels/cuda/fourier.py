"""FFTs of planes of any size by the device's library, in chunks that stay in its cache between the passes."""

import math
from collections.abc import Callable, Iterator
from typing import Any

from kernels.cuda.arrays import Array, empty
from kernels.cuda.device import current

CHUNK_BYTES = 12 << 20
"""Of images in a chunk: with their spectra and the result three times that, which the smallest L2 (sm_80's) holds."""


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


def chunks(*batches: Array) -> Iterator[tuple[Array, ...]]:
    """Yield the planes of batches (N, C, H, any) side by side, a cacheful of the first at a time: (planes, H, any)."""
    planes = [batch.reshape(-1, *batch.shape[2:]) for batch in batches]
    first = batches[0]
    step = max(1, CHUNK_BYTES // max(1, math.prod(first.shape[2:]) * first.dtype.itemsize))
    for start in range(0, len(planes[0]), step):
        yield tuple(part[start : start + step] for part in planes)


def forward(planes: Array) -> Array:
    """Return half spectra, contiguous: (planes, H, W) float32 -> (planes, H, W//2 + 1) complex64."""
    return current().xp.ascontiguousarray(current().fft.rfft2(planes))


def inverse(spectra: Array, width: int) -> Array:
    """Return the images of half spectra, whose first and middle column must be those of real images.

    cuFFT leaves open what it makes of others. The spectra may be overwritten.
    """
    result: Any = current().fft.irfft2(spectra, s=(spectra.shape[-2], width), overwrite_x=True)
    return result

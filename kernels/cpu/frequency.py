"""Frequency filters in float32 on the half spectrum, chunk by chunk.

A chunk fits a core's cache through all of its passes, which makes the filters faster than one bare FFT pair over the
whole batch. The bits of scipy.fft do not depend on the chunk or on the processor; NumPy only multiplies, scales and
copies here, since its reductions and complex functions could not promise the same.

Layouts: images (N, C, H, W); half spectra (N, C, H, K), K = W//2 + 1, zero frequency at (0, 0).
"""

import math

import numpy as np
import scipy  # its parts are imported when first used
from numpy.typing import NDArray

from passband.kernels.checks import check_float32
from passband.kernels.contract import documented
from passband.kernels.cpu.chunks import in_chunks
from passband.kernels.cpu.compile import kernel
from passband.kernels.cpu.threads import single_blas_thread
from passband.kernels.family_checks import PHASE_FLOOR, check_choice, check_count

Images = NDArray[np.float32]


def half_radius_squared(height: int, width: int) -> NDArray[np.int64]:
    """Return the squared distance of every bin of a half spectrum to zero frequency: (H, W//2 + 1)."""
    u = np.arange(height)[:, None]
    v = np.arange(width // 2 + 1)[None, :]
    return np.minimum(u, height - u) ** 2 + v**2


@documented
def radial_filter(images: Images, low: float, high: float) -> Images:
    images = check_float32(images)
    height, width = images.shape[2:]
    d = np.sqrt(half_radius_squared(height, width))
    columns = min(d.shape[1], max(1, math.ceil(min(high, width))))  # those beyond hold nothing that is kept
    kept = ((low <= d) & (d < high))[:, :columns]
    mask = np.repeat(kept, 2, axis=1).astype(np.float32)  # one for the real, one for the imaginary part

    def filter_chunk(chunk: Images, out: Images) -> None:
        spectrum = scipy.fft.fft(scipy.fft.rfft(chunk, axis=3)[..., :columns], axis=2)
        spectrum.view(np.float32)[...] *= mask
        spectrum = scipy.fft.ifft(spectrum, axis=2, overwrite_x=True)
        out[...] = scipy.fft.irfft(spectrum, n=width, axis=3)

    return in_chunks(filter_chunk, images)


@documented
def dct_filter(images: Images, size: int, keep: str) -> Images:
    """Each pass transforms only what the corner needs."""
    images = check_float32(images)
    check_choice("keep", keep, ("low", "high"))
    check_count("size", size, min(images.shape[2:]))
    part = slice(None, size) if keep == "low" else slice(-size, None)

    def filter_chunk(chunk: Images, out: Images) -> None:
        rows = scipy.fft.dct(chunk, axis=3, norm="ortho")[..., part]
        corner = scipy.fft.dct(rows, axis=2, norm="ortho")[:, :, part]
        columns = np.zeros((*chunk.shape[:3], size), np.float32)
        columns[:, :, part] = corner
        out[...] = 0
        out[..., part] = scipy.fft.idct(columns, axis=2, norm="ortho", overwrite_x=True)
        out[...] = scipy.fft.idct(out, axis=3, norm="ortho")

    return in_chunks(filter_chunk, images)


@documented
def dct_flip(images: Images) -> Images:
    images = check_float32(images)

    def flip_chunk(chunk: Images, out: Images) -> None:
        coefficients = scipy.fft.dctn(chunk, axes=(2, 3), norm="ortho")
        out[...] = scipy.fft.idctn(coefficients[:, :, ::-1, ::-1], axes=(2, 3), norm="ortho")

    return in_chunks(flip_chunk, images)


@documented
def svd_filter(images: Images, rank: int, keep: str) -> Images:
    """LAPACK's bits depend on the library and the processor."""
    images = check_float32(images)
    check_choice("keep", keep, ("leading", "trailing"))
    check_count("rank", rank, min(images.shape[2:]))
    part = slice(None, rank) if keep == "leading" else slice(rank, None)

    def filter_chunk(chunk: Images, out: Images) -> None:
        for channel in range(chunk.shape[1]):  # one at a time: the factors take several times their images
            u, s, vt = np.linalg.svd(chunk[:, channel], full_matrices=False)
            u *= s[:, None, :]
            np.matmul(u[:, :, part], vt[:, part, :], out=out[:, channel])

    with single_blas_thread():  # its bits depend on how many threads it brings
        return in_chunks(filter_chunk, images)


@documented
def phase_only(images: Images) -> Images:
    images = check_float32(images)
    height, width = images.shape[2:]

    def filter_chunk(chunk: Images, out: Images) -> None:
        spectrum = scipy.fft.rfft2(chunk)
        _flatten_amplitude(spectrum.view(np.float32).reshape(-1, height, 2 * spectrum.shape[3]), width)
        out[...] = scipy.fft.irfft2(spectrum, s=(height, width), overwrite_x=True)

    return in_chunks(filter_chunk, images)


@kernel
def _flatten_amplitude(spectra: NDArray[np.float32], width: int) -> None:
    """Give every bin of each half spectrum the mean amplitude of its full (H, width) spectrum, in place.

    `spectra` is (M, H, 2 K): real and imaginary parts in turn.
    """
    height, columns = spectra.shape[1], spectra.shape[2] // 2
    totals = np.empty(columns, np.float64)
    for spectrum in spectra:
        totals[:] = 0  # one sum a column: the order of additions is fixed whatever the vector width
        largest = np.float32(0)
        for u in range(height):
            for v in range(columns):
                amplitude = np.sqrt(spectrum[u, 2 * v] ** 2 + spectrum[u, 2 * v + 1] ** 2)
                totals[v] += amplitude
                largest = max(largest, amplitude)
        mean = 0.0
        for v in range(columns):
            mirrored = 0 < v and 2 * v < width  # its mirror image is not in the half spectrum
            mean += 2 * totals[v] if mirrored else totals[v]
        level = np.float32(mean / (height * width))
        floor = np.float32(PHASE_FLOOR) * largest
        for u in range(height):
            for v in range(columns):
                amplitude = np.sqrt(spectrum[u, 2 * v] ** 2 + spectrum[u, 2 * v + 1] ** 2)
                flat = amplitude <= floor
                scale = np.float32(0) if flat else level / amplitude
                spectrum[u, 2 * v] = level if flat else spectrum[u, 2 * v] * scale
                spectrum[u, 2 * v + 1] *= scale

"""Digital faults of the common corruptions in float32; a pixel depends on the processor in no bit."""

import numpy as np
import scipy  # its parts are imported when first used
from numpy.typing import NDArray

from passband.kernels.blocks import block_edges, nearest_block
from passband.kernels.checks import check_float32, check_shape
from passband.kernels.contract import documented
from passband.kernels.cpu.chunks import chunk_rows, in_chunks
from passband.kernels.cpu.threads import for_ranges
from passband.kernels.cpu.warp import warp
from passband.kernels.elementary import cos_pi
from passband.kernels.family_checks import check_choice, check_count, check_symmetric

Images = NDArray[np.float32]
Coordinates = NDArray[np.float64]
_FOLDED_AT_ONCE = 1 << 18  # coordinates


@documented
def scale_contrast(images: Images, factor: float) -> Images:
    def scale_chunk(chunk: Images, out: Images) -> None:
        # Running sums: their order is that of the pixels, whatever the width of a vector.
        rows = chunk.reshape(*chunk.shape[:2], -1)
        total = np.cumsum(rows, axis=2, dtype=np.float64)[..., -1, None, None]
        mean = (total / rows.shape[2]).astype(np.float32)
        np.subtract(chunk, mean, out=out)
        out *= np.float32(factor)
        out += mean

    return in_chunks(scale_chunk, check_float32(images))


@documented
def pixelate(images: Images, height: int, width: int) -> Images:
    """A block is summed line by line, so that the order is its own."""
    images = check_float32(images)
    sizes, counts = images.shape[2:], (height, width)
    for name, size, number in zip(("height", "width"), sizes, counts, strict=True):
        check_count(name, number, size)
    (top, left), (row, column) = map(block_edges, sizes, counts), map(nearest_block, sizes, counts)
    areas = np.multiply.outer(np.diff(top), np.diff(left))

    def average_chunk(chunk: Images, out: Images) -> None:
        lines = _add_lines(chunk.astype(np.float64), top, axis=2)
        means = (_add_lines(lines, left, axis=3) / areas).astype(np.float32)
        np.take(means[:, :, row], column, axis=3, out=out)

    return in_chunks(average_chunk, images)


def _add_lines(x: NDArray[np.float64], edges: NDArray[np.int64], axis: int) -> NDArray[np.float64]:
    """Return the sum of the lines edges[k] .. edges[k + 1] - 1 for every k, added one after the other."""
    lengths = np.diff(edges)
    total = np.take(x, edges[:-1], axis)
    for step in range(1, lengths.max()):
        longer = lengths > step
        place = (slice(None),) * axis + (longer,)
        total[place] += np.take(x, edges[:-1][longer] + step, axis)
    return total


@documented
def separable_blur(images: Images, weights: NDArray[np.floating]) -> Images:
    """With such borders a symmetric filter is a product in the DCT-II, whatever its length. It is taken in float64:
    the elastic transform multiplies a faint result by hundreds of pixels.
    """
    images = check_float32(images)
    half = check_symmetric(weights)[len(weights) // 2 :]
    response = np.multiply.outer(*(_response(size, half) for size in images.shape[2:]))

    def blur_chunk(chunk: Images, out: Images) -> None:
        spectrum = scipy.fft.dctn(chunk.astype(np.float64), axes=(2, 3))
        spectrum *= response
        out[...] = scipy.fft.idctn(spectrum, axes=(2, 3), overwrite_x=True)

    return in_chunks(blur_chunk, images)


def _response(size: int, half: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what weights, given from their centre on, multiply each of `size` DCT-II coefficients by."""
    frequencies = np.arange(size) / size
    response = np.full(size, half[0])
    for distance, weight in enumerate(half[1:], 1):
        response += 2 * weight * cos_pi(frequencies * distance)
    return response


@documented
def warp_reflected(images: Images, displacement: NDArray[np.floating], border: str) -> Images:
    images = check_float32(images)
    check_choice("border", border, ("reflect", "mirror"))
    check_shape("displacement", displacement, len(images), 2, *images.shape[2:])
    inward = np.empty(displacement.shape, np.float32)

    height, width = images.shape[2:]
    ahead = max(1, _FOLDED_AT_ONCE // width)  # rows: float64 takes several times the memory of an image

    def fold_range(start: int, stop: int) -> None:
        for axis, size in enumerate((height, width)):
            for top in range(0, height, ahead):
                stop_row = min(top + ahead, height)
                line = np.arange(top, stop_row)[:, None] if axis == 0 else np.arange(width)[None, :]
                at: Coordinates = line.astype(np.float64) - displacement[start:stop, axis, top : top + ahead].astype(
                    np.float64
                )
                inward[start:stop, axis, top : top + ahead] = line - _fold(at, size, border)

    for_ranges(fold_range, len(images), chunk_rows(len(images), 4 * inward[:1].size))
    return warp(images, inward)


def _fold(at: NDArray[np.float64], size: int, border: str) -> NDArray[np.float64]:
    """Bring coordinates to 0..size - 1 by reflections."""
    shift, period = (0.5, 2.0 * size) if border == "reflect" else (0.0, 2.0 * max(1, size - 1))
    at = at + shift
    at -= period * np.floor(at / period)
    at = np.minimum(at, period - at)
    at -= shift
    return np.clip(at, 0, size - 1, out=at)

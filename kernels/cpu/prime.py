"""Whole PRIME views, one image at a time: an image passes through all its chains while it lies in the cache.

Legend: n sample, m chain, s step. Where each normal lies in its stream: `kernels.prime_steps.PrimeSteps`.
"""

import math

import numpy as np
from numpy.typing import NDArray

from kernels import prime_steps
from kernels.checks import check_float32, check_shape, writable
from kernels.cpu.color import BLOCK, clip_unit, color_channel, padded_terms
from kernels.cpu.compile import fma, kernel
from kernels.cpu.mix import add_into, scale_into
from kernels.cpu.philox import fill_normals, fill_words
from kernels.cpu.sine import field_axis, half_basis
from kernels.cpu.stencil import filter_channel
from kernels.cpu.threads import for_ranges
from kernels.cpu.warp import warp_image
from kernels.philox import split_key

_SPECTRAL, _SPATIAL = prime_steps.SPECTRAL, prime_steps.SPATIAL
_COLOR, _NOISE = prime_steps.COLOR, prime_steps.NOISE
_ZERO, _ONE = np.float32(0), np.float32(1)
_LANE_BLOCKS = 512


@kernel
def row_variances(out, p, limit, height, width):
    """Write the folded variances of modes (p, 1..), at unit temperature, to `out`; return how many are not zero.

    A mode sums 1 / (i^2 + j^2) over its aliases i = 2 (H - 1) t +- p and j = 2 (W - 1) u +- q.
    """
    for q in range(out.size):
        out[q] = _ZERO
    top = int(math.sqrt(limit))
    stop = 0
    for base_i in range(0, top + p + 1, 2 * (height - 1)):
        for sign_i in (-1, 1):
            i = base_i + sign_i * p
            if i < 1 or i * i >= limit:
                continue
            j_top = _square_root(limit - i * i)
            for base_j in range(0, j_top + width, 2 * (width - 1)):
                for sign_j in (-1, 1):
                    # q with 1 <= base_j + sign_j q <= j_top
                    first = max(1, base_j - j_top) if sign_j < 0 else 1
                    last = min(out.size, base_j - 1 if sign_j < 0 else j_top - base_j)
                    _add_inverses(out, np.float32(i * i), first, last, base_j, sign_j)
                    stop = max(stop, last if last >= first else 0)
    return stop


@kernel
def _square_root(number):
    """Return the integer square root."""
    root = int(math.sqrt(number))
    while root * root > number:
        root -= 1
    return root


@kernel
def _add_inverses(out, square, first, last, base, sign):
    for q in range(first, last + 1):
        j = np.float32(base + sign * q)
        out[q - 1] += _ONE / fma(j, j, square)


@kernel
def _draw_field(b, stops, sigma, limit, shape, word_lanes, lanes, address, key):
    """Draw the folded coefficients of both displacement axes: (2, H - 2, W - 2); return how many rows are not zero."""
    height, width = shape
    index, view, stage = address
    scale = np.empty((2, width - 2), np.float32)
    rows = 0
    for p in range(0, height - 2, 2):
        counts = (0, 0)
        first = row_variances(scale[0], p + 1, limit, height, width)
        second = row_variances(scale[1], p + 2, limit, height, width) if p + 1 < height - 2 else 0
        counts = (first, second)
        count = max(first, second)
        if count == 0:
            break
        fill_words(word_lanes, count, index, view, stage, np.uint64((p // 2) * (width - 2)), key[0], key[1])
        fill_normals(lanes, word_lanes, count)
        for r in range(2):
            if p + r < height - 2:
                stops[p + r] = counts[r]
                rows += counts[r] > 0
                for q in range(counts[r]):
                    sd = sigma * np.sqrt(scale[r, q])
                    b[0, p + r, q] = sd * lanes[2 * r, q]
                    b[1, p + r, q] = sd * lanes[2 * r + 1, q]
    return rows


@kernel
def _spatial(out, image, sigma, limit, scratch, bases, word_lanes, lanes, address, key):
    b, stops, displacement, rows, halves = scratch
    _, height, width = image.shape
    count = _draw_field(b, stops, sigma, limit, (height, width), word_lanes, lanes, address, key)
    for axis in range(2):
        scale = np.float32(height if axis == 0 else width)
        field_axis(displacement[axis], b[axis, :count], stops, bases[0], bases[1], scale, rows, halves)
    warp_image(out, image, displacement)


@kernel
def _color(out, image, sigma, first, last, a, state, word_lanes, lanes, address, key):
    """Sum frequencies first .. last with drawn coefficients; images are (C, pixels)."""
    index, view, stage = address
    channels = image.shape[0]
    start = (first - 1) // 4
    groups = (last - 1) // 4 + 1 - start
    fill_words(word_lanes, groups * channels, index, view, stage, np.uint64(start * channels), key[0], key[1])
    fill_normals(lanes, word_lanes, groups * channels)
    count = last - first + 1
    terms = padded_terms(count)
    for c in range(channels):
        for d in range(count):
            k = first - 1 + d
            a[d] = sigma * lanes[k % 4, (k // 4 - start) * channels + c]
        a[count:terms] = _ZERO
        color_channel(out[c], image[c], a, terms, first, state)


@kernel
def _spectral(out, image, sigma, size, padded, word_lanes, lanes, address, key):
    index, view, stage = address
    blocks = (size * size + 3) // 4
    fill_words(word_lanes, blocks, index, view, stage, np.uint64(0), key[0], key[1])
    fill_normals(lanes, word_lanes, blocks)
    weights = np.empty((size, size), np.float32)
    for tap in range(size * size):
        weights[tap // size, tap % size] = sigma * lanes[tap % 4, tap // 4]
    weights[size // 2, size // 2] += _ONE
    for c in range(image.shape[0]):
        filter_channel(out[c], image[c], weights, padded)


@kernel
def _noise(out, image, sigma, word_lanes, lanes, address, key):
    """Add noise to a flat image."""
    index, view, stage = address
    for start in range(0, image.size, 4 * _LANE_BLOCKS):
        count = min(4 * _LANE_BLOCKS, image.size - start)
        blocks = (count + 3) // 4
        fill_words(word_lanes, blocks, index, view, stage, np.uint64(start // 4), key[0], key[1])
        fill_normals(lanes, word_lanes, blocks)
        for t in range(count):
            out[start + t] = clip_unit(fma(sigma, lanes[t % 4, t // 4], image[start + t]))


@kernel
def _views_range(out, images, bases, address, key, kinds, strengths, firsts, lasts, weights, size, start, stop):
    _, channels, height, width = images.shape
    indices, view, stages = address
    chains, depth = kinds.shape[1], kinds.shape[2]
    pixels = height * width
    modes_y, modes_x = max(height - 2, 1), max(width - 2, 1)
    terms = padded_terms(max(1, lasts.max()) if lasts.size else 1)
    lane_blocks = max(_LANE_BLOCKS, modes_x, channels * (terms // 4 + 2), size * size // 4 + 1)
    word_lanes, lanes = np.empty((4, lane_blocks), np.uint32), np.empty((4, lane_blocks), np.float32)
    steps = np.empty((2, channels, height, width), np.float32)
    padded = np.empty((height + size - 1, width + size - 1), np.float32)
    state, a = np.empty((3, BLOCK), np.float32), np.empty(terms, np.float32)
    scratch = (
        np.empty((2, modes_y, modes_x), np.float32),
        np.empty(modes_y, np.int64),
        np.empty((2, height, width), np.float32),
        np.empty((modes_y, width), np.float32),
        np.empty((2, bases[1].shape[1]), np.float32),
    )
    for n in range(start, stop):
        result = out[n].reshape(channels * pixels)
        scale_into(result, images[n].reshape(channels * pixels), weights[n, 0])
        for m in range(chains):
            current, free = images[n], 0
            for s in range(depth):
                kind, sigma = kinds[n, m, s], strengths[n, m, s]
                here = (np.uint64(indices[n]), view, np.uint64(stages[m, s]))
                target = steps[free]
                if kind == _SPECTRAL:
                    _spectral(target, current, sigma, size, padded, word_lanes, lanes, here, key)
                elif kind == _SPATIAL and height > 2 and width > 2:
                    _spatial(target, current, sigma, lasts[n, m, s], scratch, bases, word_lanes, lanes, here, key)
                elif kind == _COLOR:
                    first, last = firsts[n, m, s], lasts[n, m, s]
                    flat, flat_target = current.reshape(channels, pixels), target.reshape(channels, pixels)
                    _color(flat_target, flat, sigma, first, last, a, state, word_lanes, lanes, here, key)
                elif kind == _NOISE:
                    flat, flat_target = current.reshape(channels * pixels), target.reshape(channels * pixels)
                    _noise(flat_target, flat, sigma, word_lanes, lanes, here, key)
                else:
                    continue
                current, free = target, 1 - free
            add_into(result, current.reshape(channels * pixels), weights[n, m + 1])


def prime_views(images: NDArray[np.float32], steps: prime_steps.PrimeSteps) -> NDArray[np.float32]:
    """Return the PRIME views of a batch: chains of primitives, mixed with the clean image.

    Parameters
    ----------
    images : (N, C, H, W) float32, values in [0, 1]
    steps : PrimeSteps

    Returns
    -------
    (N, C, H, W) float32

    Raises
    ------
    ValueError
        For other shapes, or images that are not float32.

    Notes
    -----
    PRIME (Modas et al. 2022), algorithm 1. Memory: the result, and some images for each thread.
    """
    x = check_float32(images)
    check_shape("steps.kinds", steps.kinds, len(x), None, None)
    height, width = x.shape[2:]
    key = tuple(map(np.uint64, split_key(steps.key)))
    address = writable(steps.indices, np.uint32), np.uint64(steps.view), writable(steps.stages, np.uint32)
    drawn = (
        writable(steps.kinds, np.uint8),
        writable(steps.strengths),
        writable(steps.first, np.int64),
        writable(steps.last, np.int64),
        writable(steps.weights),
    )
    bases = half_basis(height), half_basis(width)
    out = np.empty_like(x)
    for_ranges(
        lambda start, stop: _views_range(out, x, bases, address, key, *drawn, steps.size, start, stop),
        len(x),
        max(1, min(16, 400_000 // x[0:1].size)) if len(x) else 1,
    )
    return out

"""Whole PRIME views, one image at a time: an image passes through all its chains while it lies in the cache.

Where each normal lies in the stream of its step: `kernels.prime_steps.PrimeSteps`.
"""

import numpy as np
from numpy.typing import NDArray

from passband.kernels import prime_steps
from passband.kernels.checks import check_float32, check_steps, writable
from passband.kernels.contract import documented
from passband.kernels.cpu.arrays import borrowed, flat
from passband.kernels.cpu.color import LEVELS, clip_unit, color_channel, color_levels, find_levels, padded_terms
from passband.kernels.cpu.compile import fma, kernel
from passband.kernels.cpu.folding import row_deviations, tabulate
from passband.kernels.cpu.mix import add_into, mix_two
from passband.kernels.cpu.philox import fill_normals, fill_words, padded_columns
from passband.kernels.cpu.prime_scratch import NOISE_BLOCKS, Scratch, make_scratch
from passband.kernels.cpu.sine import COLUMNS, ROWS, fill_tiles, half_basis, make_field, sum_columns, unfold_row
from passband.kernels.cpu.stencil import filter_channel, filter_plane
from passband.kernels.cpu.threads import for_ranges
from passband.kernels.cpu.warp import warp_image, warp_row
from passband.kernels.philox import split_key

_IDENTITY, _SPECTRAL = prime_steps.IDENTITY, prime_steps.SPECTRAL
_SPATIAL, _COLOR = prime_steps.SPATIAL, prime_steps.COLOR
_ZERO, _ONE = np.float32(0), np.float32(1)
_UNKNOWN, _EXACT, _INEXACT = 0, 1, 2


@kernel
def _draw(scratch, blocks, stream, first):
    """Draw normals of blocks first .. first + blocks - 1; `first` is uint64."""
    fill_words(scratch.words, blocks, stream, first)
    fill_normals(scratch.normals, scratch.words, padded_columns(blocks))


@kernel
def _draw_row(scratch, deviations, sigma, p, r):
    """Scale the drawn normals of row p + r of the modes of both axes."""
    stop = scratch.field.stops[p + r]
    for axis in range(2):
        row, normal = scratch.field.b[axis, p + r], scratch.normals[2 * r + axis]
        for q in range(stop):
            row[q] = sigma * deviations[q] * normal[q]
        row[stop:] = _ZERO


@kernel
def _draw_field(scratch, tables, place, sigma, limit, stream):
    """Draw the folded coefficients of both displacement axes; return how many rows are not zero."""
    height, width = scratch.size
    stops = scratch.field.stops
    rows = 0
    for p in range(0, height - 2, 2):
        for r in range(2):
            stops[p + r] = 0
            if p + r < height - 2 and place >= 0:
                stops[p + r] = tables.stops[place, p + r]
            elif p + r < height - 2:
                stops[p + r] = row_deviations(scratch.deviations[r], scratch.numbers, p + r + 1, limit, height, width)
        count = max(stops[p], stops[p + 1])
        if count == 0:
            break
        _draw(scratch, count, stream, np.uint64((p // 2) * (width - 2)))
        for r in range(2):
            tabulated = place >= 0 and p + r < height - 2
            deviations = tables.deviations[place, p + r] if tabulated else scratch.deviations[r]
            _draw_row(scratch, deviations, sigma, p, r)
        rows = p + 1 if stops[p + 1] == 0 else p + 2
    stops[rows:] = 0
    scratch.field.b[:, rows : rows + ROWS] = _ZERO
    return rows


@kernel
def _spatial(out, image, sigma, limit, place, scratch, grid, stream):
    bases, tables = grid
    rows = _draw_field(scratch, tables, place, sigma, limit, stream)
    if scratch.corners.quads.size == 0:
        _warp_strips(out, image, rows, scratch, bases)
        return
    displacement = scratch.displacement
    for axis in range(2):
        make_field(displacement[axis], axis, rows, scratch.field, bases, np.float32(displacement.shape[1 + axis]))
    warp_image(out, image, displacement, scratch.corners)


@kernel
def _warp_strips(out, image, modes, scratch, bases):
    """Do as `make_field` and `warp_image`, a few rows of a large image at a time."""
    basis_y, basis_x = bases
    (height, width), field, moved = scratch.size, scratch.field, scratch.displacement
    sum_columns(field.rows, field.b[0], field.stops, modes, basis_x)
    sum_columns(scratch.columns, field.b[1], field.stops, modes, basis_x)
    for y in range(0, (height + 1) // 2, ROWS):
        count = min(ROWS, (height + 1) // 2 - y)
        for axis in range(2):
            fill_tiles(field.tiles, field.rows if axis == 0 else scratch.columns, basis_y, y, modes)
            scale = np.float32(height if axis == 0 else width)
            for r in range(count):
                unfold_row(moved[axis, r], moved[axis, ROWS + r], field.tiles, r, basis_x.shape[1], scale)
        for r in range(count):
            warp_row(out, image, moved[0, r], moved[1, r], y + r, height, scratch.corners)
            warp_row(out, image, moved[0, ROWS + r], moved[1, ROWS + r], height - 1 - y - r, height, scratch.corners)


@kernel
def _color(out, image, exact, sigma, first, last, scratch, stream):
    """Sum frequencies first .. last with drawn coefficients; images are (C, pixels).

    `exact`: ``scratch.levels`` holds the image as multiples of 1 / 255.
    """
    channels = image.shape[0]
    start = (first - 1) // 4
    _draw(scratch, ((last - 1) // 4 + 1 - start) * channels, stream, np.uint64(start * channels))
    count = last - first + 1
    terms = padded_terms(count)
    a, state, levels = scratch.coefficients, scratch.state, scratch.levels
    for c in range(channels):
        for d in range(count):
            k = first - 1 + d
            a[d] = sigma * scratch.normals[k % 4, (k // 4 - start) * channels + c]
        a[count:terms] = _ZERO
        if exact:
            color_levels(out[c], levels[c], a, terms, first, state, scratch.table)
        else:
            color_channel(out[c], image[c], a, terms, first, state)


@kernel
def _spectral(out, image, sigma, scratch, stream):
    weights = scratch.weights
    size = weights.shape[0]
    _draw(scratch, (size * size + 3) // 4, stream, np.uint64(0))
    for tap in range(size * size):
        weights[tap // size, tap % size] = sigma * scratch.normals[tap % 4, tap // 4]
    weights[size // 2, size // 2] += _ONE
    for c in range(image.shape[0]):
        if scratch.corners.quads.size == 0:
            filter_plane(out[c], image[c], scratch.size[0], weights, scratch.padded)
        else:
            filter_channel(out[c], image[c], weights, scratch.padded)


@kernel
def _noise(out, image, sigma, scratch, stream):
    """Add noise to a flat image."""
    for start in range(0, image.size, 4 * NOISE_BLOCKS):
        count = min(4 * NOISE_BLOCKS, image.size - start)
        _draw(scratch, (count + 3) // 4, stream, np.uint64(start // 4))
        for t in range(count):
            out[start + t] = clip_unit(fma(sigma, scratch.normals[t % 4, t // 4], image[start + t]))


@kernel
def _step(out, image, kind, exact, sigma, first, last, scratch, grid, stream):
    """Apply one primitive to `image`; both are (C, pixels). `first` of a SPATIAL step is its place in the tables."""
    if kind == _SPECTRAL:
        _spectral(out, image, sigma, scratch, stream)
    elif kind == _SPATIAL:
        _spatial(out, image, sigma, last, first, scratch, grid, stream)
    elif kind == _COLOR:
        _color(out, image, exact, sigma, first, last, scratch, stream)
    else:
        _noise(flat(out), flat(image), sigma, scratch, stream)


@kernel
def _view(out, image, drawn, n, stream, scratch, grid):
    """Write the view of one image to `out`; both are (C, pixels)."""
    kinds, strengths, firsts, lasts, weights, stages = drawn
    height, width = scratch.size
    flat_image, flat_out = flat(image), flat(out)
    levels = _UNKNOWN
    for m in range(kinds.shape[1]):
        current, free, clean = image, 0, True
        for s in range(kinds.shape[2]):
            kind = kinds[n, m, s]
            if kind == _IDENTITY or (kind == _SPATIAL and (height < 3 or width < 3)):
                continue
            if kind == _COLOR and clean and levels == _UNKNOWN:
                useful = height * width > LEVELS and find_levels(flat(scratch.levels), flat_image)
                levels = _EXACT if useful else _INEXACT
            here = (stream[0], stream[1], np.uint64(stages[m, s]), stream[2], stream[3])
            target = scratch.steps[free]
            exact = clean and levels == _EXACT
            first, last = firsts[n, m, s], lasts[n, m, s]
            _step(target, current, kind, exact, strengths[n, m, s], first, last, scratch, grid, here)
            current, free, clean = target, 1 - free, False
        if m == 0:
            mix_two(flat_out, flat_image, weights[n, 0], flat(current), weights[n, 1])
        else:
            add_into(flat_out, flat(current), weights[n, m + 1])


@kernel
def _views_range(out, images, drawn, indices, address, scratch, grid, start, stop):
    out, images, drawn, indices, scratch, grid = borrowed((out, images, drawn, indices, scratch, grid))
    for n in range(start, stop):
        _view(out[n], images[n], drawn, n, (np.uint64(indices[n]), *address), scratch, grid)


@documented
def prime_views(images: NDArray[np.float32], steps: prime_steps.PrimeSteps) -> NDArray[np.float32]:
    """Memory: the result, and about eight images for each thread."""
    x = check_float32(images)
    check_steps(steps, len(x))
    if not x.size:
        return x.copy()
    if not steps.kinds.shape[1]:  # no chains
        return x * writable(steps.weights)[:, :, None, None]
    height, width = x.shape[2:]
    indices = writable(steps.indices, np.uint32)
    address = (np.uint64(steps.view), *map(np.uint64, split_key(steps.key)))
    spatial, first = steps.kinds == _SPATIAL, steps.first.astype(np.int64)
    tables, first[spatial] = tabulate(steps.last[spatial], height, width)
    drawn = (
        writable(steps.kinds, np.uint8),
        writable(steps.strengths),
        first,
        steps.last.astype(np.int64),
        writable(steps.weights),
        writable(steps.stages, np.uint32),
    )
    grid = (half_basis(height, ROWS), half_basis(width, COLUMNS)), tables
    last_frequency = int(steps.last[steps.kinds == _COLOR].max(initial=0))
    rows, spare = x.reshape(*x.shape[:2], height * width), list[Scratch]()
    out = np.empty_like(rows)

    def work(start: int, stop: int) -> None:
        try:
            scratch = spare.pop()
        except IndexError:
            scratch = make_scratch(x.shape[1], height, width, steps.size, last_frequency)
        _views_range(out, rows, drawn, indices, address, scratch, grid, start, stop)
        spare.append(scratch)

    for_ranges(work, len(x), max(1, min(32, 400_000 // x[0].size)))
    return out.reshape(x.shape)

"""PRIME's primitives and their mixture, one function an equation (Modas et al., "PRIME", ECCV 2022, section 3).

Layouts: images (N, C, H, W), values in [0, 1]; everything is float64.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from passband.kernels import philox
from passband.kernels.checks import check_frequencies, check_images, check_shape, check_sine_modes, check_steps
from passband.kernels.contract import documented
from passband.kernels.prime_steps import COLOR, NOISE, SPATIAL, SPECTRAL, PrimeSteps

Array = NDArray[np.float64]


def _images(images: ArrayLike) -> Array:
    check_images(images)
    return np.asarray(images, np.float64)


@documented
def smooth_color(images: ArrayLike, coefficients: ArrayLike, first_frequency: ArrayLike) -> Array:
    x, a = _images(images), np.asarray(coefficients, np.float64)
    check_shape("coefficients", a, len(x), x.shape[1], None)
    k = check_frequencies(first_frequency, len(x))[:, None] + np.arange(a.shape[2])
    waves = np.stack([np.sin(np.pi * k[:, d, None, None, None] * x) for d in range(a.shape[2])] or [0 * x], axis=2)
    return np.clip(x + np.einsum("ncd,ncdhw->nchw", a if a.shape[2] else np.zeros((*x.shape[:2], 1)), waves), 0, 1)


@documented
def random_filter(images: ArrayLike, weights: ArrayLike) -> Array:
    x, w = _images(images), np.asarray(weights, np.float64)
    size = w.shape[-1]
    check_shape("weights", w, len(x), size, size)
    height, width = x.shape[2:]
    before, after = size // 2, (size - 1) // 2
    padded = np.pad(x, ((0, 0), (0, 0), (before, after), (before, after)))
    total = np.zeros_like(x)
    for i in range(size):
        for j in range(size):
            total += w[:, i, j, None, None, None] * padded[:, :, i : i + height, j : j + width]
    return np.clip(total, 0, 1)


def sine_basis(modes: int, size: int) -> Array:
    """Return sin(pi k j / (size - 1)) for k = 1..modes, j = 0..size - 1: (modes, size), columns 0 and -1 exactly 0."""
    period = 2 * max(size - 1, 1)
    turns = np.outer(np.arange(1, modes + 1), np.arange(size)) % period
    return np.where(turns % max(size - 1, 1) == 0, 0.0, np.sin(2 * np.pi * turns / period))


@documented
def sine_field(coefficients: ArrayLike, height: int, width: int) -> Array:
    b = np.asarray(coefficients, np.float64)
    check_sine_modes(b, height, width)
    rows, columns = sine_basis(b.shape[2], height), sine_basis(b.shape[3], width)
    field = np.einsum("napq,py,qx->nayx", b, rows, columns, optimize=True)
    return field * np.array([height, width], np.float64)[:, None, None]


def fold_modes(coefficients: ArrayLike, height: int, width: int) -> Array:
    """Fold a sine series of any length onto the modes that differ on the grid: (..., I, J) -> (..., H - 2, W - 2).

    On linspace(0, 1, n), sin(pi k j / (n - 1)) has period 2 (n - 1) in k and is odd about n - 1.
    """
    b = np.asarray(coefficients, np.float64)
    return _aliases(b.shape[-2], height).T @ b @ _aliases(b.shape[-1], width)


def _aliases(modes: int, size: int) -> Array:
    """Return (modes, size - 2): +1 or -1 where mode k = 1.. equals mode p = 1.. on the grid."""
    signs = np.zeros((modes, max(size - 2, 0)))
    for k in range(1, modes + 1):
        p = k % (2 * max(size - 1, 1))
        if 0 < p < size - 1:
            signs[k - 1, p - 1] = 1
        elif p > size - 1:
            signs[k - 1, 2 * (size - 1) - p - 1] = -1
    return signs


def mode_variances(limit: int, height: int, width: int) -> Array:
    """Return the variances, at unit temperature, of the folded modes: (H - 2, W - 2).

    Independent b_ij of variance 1 / (i^2 + j^2), i^2 + j^2 <= limit, fold to independent Gaussians whose variances
    are the sums over their aliases.
    """
    top = int(np.sqrt(limit))
    squares = np.arange(1, top + 1) ** 2
    total = squares[:, None] + squares
    variances = np.where(total <= limit, 1 / total, 0.0)
    return np.abs(_aliases(top, height)).T @ variances @ np.abs(_aliases(top, width))


@documented
def warp(images: ArrayLike, displacement: ArrayLike) -> Array:
    x, d = _images(images), np.asarray(displacement, np.float64)
    count, _, height, width = x.shape
    check_shape("displacement", d, count, 2, height, width)
    y = np.clip(np.arange(height)[:, None] - d[:, 0], 0, height - 1)
    z = np.clip(np.arange(width) - d[:, 1], 0, width - 1)
    top, left = np.floor(y).astype(int), np.floor(z).astype(int)
    bottom, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    fy, fx = (y - top)[:, None], (z - left)[:, None]
    n, c = np.arange(count)[:, None, None, None], np.arange(x.shape[1])[None, :, None, None]
    top, bottom, left, right = (at[:, None] for at in (top, bottom, left, right))
    upper = x[n, c, top, left] * (1 - fx) + x[n, c, top, right] * fx
    lower = x[n, c, bottom, left] * (1 - fx) + x[n, c, bottom, right] * fx
    return upper * (1 - fy) + lower * fy


@documented
def mix(chains: ArrayLike, weights: ArrayLike) -> Array:
    x, w = np.asarray(chains, np.float64), np.asarray(weights, np.float64)
    check_shape("chains", x, *[None] * 5)
    check_shape("weights", w, x.shape[1], x.shape[0])
    return np.einsum("mnchw,nm->nchw", x, w)


@documented
def prime_views(images: ArrayLike, steps: PrimeSteps) -> Array:
    x = _images(images)
    check_steps(steps, len(x))
    views = np.empty_like(x)
    for n in range(len(x)):
        clean = x[n : n + 1]
        chains = [clean] + [_chain(clean, steps, n, m) for m in range(steps.kinds.shape[1])]
        views[n] = mix(np.stack(chains), steps.weights[n : n + 1])[0]
    return views


def _chain(image: Array, steps: PrimeSteps, n: int, m: int) -> Array:
    for s in range(steps.kinds.shape[2]):
        image = _step(image, steps, n, m, s)
    return image


def _step(image: Array, steps: PrimeSteps, n: int, m: int, s: int) -> Array:
    """Apply one primitive to (1, C, H, W)."""
    _, channels, height, width = image.shape
    kind, sigma = steps.kinds[n, m, s], float(steps.strengths[n, m, s])
    first, last = int(steps.first[n, m, s]), int(steps.last[n, m, s])

    def normals(count: int, draw: int = 0) -> Array:
        address = steps.key, steps.indices[n : n + 1], steps.view, int(steps.stages[m, s])
        return philox.normals(*address, count, draw)[0]

    if kind == SPECTRAL:
        weights = sigma * normals(steps.size**2).reshape(steps.size, steps.size)
        weights[steps.size // 2, steps.size // 2] += 1
        return random_filter(image, weights[None])
    if kind == SPATIAL:
        if min(height, width) < 3:
            return np.clip(image, 0, 1)
        pairs = (height - 1) // 2
        lanes = normals(4 * pairs * (width - 2)).reshape(pairs, width - 2, 2, 2)
        draws = lanes.transpose(3, 0, 2, 1).reshape(2, 2 * pairs, width - 2)[:, : height - 2]
        b = sigma * np.sqrt(mode_variances(last, height, width)) * draws
        return np.clip(warp(image, sine_field(b[None], height, width)), 0, 1)
    if kind == COLOR:
        start = (first - 1) // 4
        terms = normals(4 * channels * ((last - 1) // 4 + 1 - start), start * channels).reshape(-1, channels, 4)
        a = terms.transpose(1, 0, 2).reshape(channels, -1)[:, first - 1 - 4 * start :][:, : last - first + 1]
        return smooth_color(image, sigma * a[None], [first])
    if kind == NOISE:
        return np.clip(image + sigma * normals(image.size).reshape(image.shape), 0, 1)
    return image

"""Known answers of PRIME's primitives: array slices and sums by hand, no second implementation.

The reference is what other backends are compared with, so its own anchor is here; the CPU backend passes the same.
"""

import numpy as np
import pytest

from passband.kernels import cpu, philox, reference
from passband.kernels.prime_steps import COLOR, IDENTITY, NOISE, SPATIAL, SPECTRAL, PrimeSteps

RNG = np.random.default_rng(5)


@pytest.fixture(params=[(reference, 1e-12), (cpu, 2e-6)], ids=["reference", "cpu"])
def kernels(request):
    """Return a backend and the absolute error that its dtype allows."""
    return request.param


def shifted(images, down, right):
    """Return the images moved by whole pixels, zeros where nothing comes from."""
    moved = np.zeros_like(images)
    height, width = images.shape[2:]
    for y in range(height):
        for x in range(width):
            if 0 <= y - down < height and 0 <= x - right < width:
                moved[:, :, y, x] = images[:, :, y - down, x - right]
    return moved


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_a_filter_of_one_tap_is_a_shift(kernels, size):
    """Tap (i, j) reads the pixel (i - K // 2, j - K // 2) further on: the image moves by K // 2 - i, K // 2 - j."""
    module, tolerance = kernels
    images = RNG.random((1, 2, 6, 9), dtype=np.float32)
    for i in range(size):
        for j in range(size):
            weights = np.zeros((1, size, size), np.float32)
            weights[0, i, j] = 0.5
            expected = 0.5 * shifted(images, size // 2 - i, size // 2 - j)
            np.testing.assert_allclose(module.random_filter(images, weights), expected, rtol=0, atol=tolerance)


def test_a_filter_worked_by_hand(kernels):
    module, tolerance = kernels
    image = np.array([[[[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]]], np.float32)
    weights = np.array([[[0, 0.5, 0], [0, 1, -1], [0, 0, 0.25]]], np.float32)
    # x(y, x) + x(y - 1, x) / 2 - x(y, x + 1) + x(y + 1, x + 1) / 4, clipped
    expected = [[[[0.1 - 0.2 + 0.125, 0.2 - 0.3 + 0.15, 0.3], [0.4 + 0.05 - 0.5, 0.5 + 0.1 - 0.6, 0.6 + 0.15]]]]
    np.testing.assert_allclose(
        module.random_filter(image, weights), np.clip(expected, 0, 1), rtol=0, atol=max(tolerance, 1e-7)
    )


@pytest.mark.parametrize(("dy", "dx"), [(0, 0), (2, 0), (-1, 0), (0, 3), (0, -2), (1, -2), (-3, 1), (50, -50)])
def test_a_whole_displacement_samples_behind_it(kernels, dy, dx):
    """Channel 0 is dy, and the sample lies at r - displacement, clamped to the image."""
    module, tolerance = kernels
    images = RNG.random((2, 3, 5, 8), dtype=np.float32)
    displacement = np.empty((2, 2, 5, 8), np.float32)
    displacement[:, 0], displacement[:, 1] = dy, dx
    rows, columns = np.clip(np.arange(5) - dy, 0, 4), np.clip(np.arange(8) - dx, 0, 7)
    expected = images[:, :, rows][:, :, :, columns]
    np.testing.assert_allclose(module.warp(images, displacement), expected, rtol=0, atol=tolerance)


def test_a_fractional_displacement_interpolates(kernels):
    module, tolerance = kernels
    image = np.array([[[[0.0, 1.0], [0.5, 0.25]]]], np.float32)
    displacement = np.zeros((1, 2, 2, 2), np.float32)
    displacement[0, 0, 1], displacement[0, 1, :, 1] = 0.25, 0.5
    lower = 0.75 * 0.5 + 0.25 * 0.0, 0.75 * 0.375 + 0.25 * 0.5
    np.testing.assert_allclose(
        module.warp(image, displacement), [[[[0.0, 0.5], lower]]], rtol=0, atol=max(tolerance, 1e-7)
    )


@pytest.mark.parametrize(("i", "j"), [(1, 2), (3, 1), (2, 7)])
def test_a_field_of_one_mode(kernels, i, j):
    """b sin(pi i y) sin(pi j x) on linspace(0, 1, n), times H for dy and W for dx."""
    module, tolerance = kernels
    y, x = np.linspace(0, 1, 5)[:, None], np.linspace(0, 1, 9)
    wave = np.sin(np.pi * i * y) * np.sin(np.pi * j * x)
    for axis, scale in ((0, 5), (1, 9)):
        coefficients = np.zeros((1, 2, 3, 7), np.float32)
        coefficients[0, axis, i - 1, j - 1] = 0.5
        field = module.sine_field(coefficients, 5, 9)
        np.testing.assert_allclose(field[0, axis], scale * 0.5 * wave, rtol=0, atol=max(tolerance, 1e-12))
        assert (field[0, 1 - axis] == 0).all()


def test_color_by_hand(kernels):
    module, tolerance = kernels
    images = np.array([[[[0.0, 0.25, 0.5, 1.0]], [[0.0, 0.25, 0.5, 1.0]]]], np.float32)
    coefficients = np.array([[[0.1, 0.2], [-0.1, 0.0]]], np.float32)
    half = np.sqrt(0.5)
    # 0.1 sin(2 pi x) + 0.2 sin(3 pi x), and -0.1 sin(2 pi x)
    expected = [[[[0, 0.25 + 0.1 + 0.2 * half, 0.5 - 0.2, 1]], [[0, 0.25 - 0.1, 0.5, 1]]]]
    given = module.smooth_color(images, coefficients, np.array([2]))
    np.testing.assert_allclose(given, expected, rtol=0, atol=max(tolerance, 1e-7))


def test_three_chains_mix_by_their_weights(kernels):
    module, tolerance = kernels
    chains = np.array([[0.0, 1.0], [0.5, 0.25], [1.0, 0.5]], np.float32).reshape(3, 1, 1, 1, 2)
    weights = np.array([[0.5, 0.25, 0.125]], np.float32)
    expected = [[[[0.125 + 0.125, 0.5 + 0.0625 + 0.0625]]]]
    np.testing.assert_allclose(module.mix(chains, weights), expected, rtol=0, atol=tolerance)


# Whole views


def steps_of(kinds, strengths, weights, first=None, last=None, size=3):
    """Return the steps of one sample; kinds and what goes with them are (m, s)."""
    kinds = np.asarray(kinds, np.uint8)[None]
    stages = np.arange(kinds[0].size, dtype=np.uint32).reshape(kinds.shape[1:]) + 7
    zeros = np.zeros(kinds.shape, np.int32)
    return PrimeSteps(
        0x1234,
        np.array([9], np.uint32),
        1,
        stages,
        kinds,
        np.asarray(strengths, np.float32)[None],
        zeros if first is None else np.asarray(first, np.int32)[None],
        zeros if last is None else np.asarray(last, np.int32)[None],
        np.asarray([weights], np.float32),
        size,
    )


def normals(stage, count):
    return philox.normals(0x1234, np.array([9], np.uint32), 1, stage, count)[0]


def test_each_step_is_clipped_before_the_next(kernels):
    """Noise far out of range, then a filter of one tap: unclipped in between, the second would bring values back."""
    module, tolerance = kernels
    image = RNG.random((1, 2, 4, 5), dtype=np.float32)
    steps = steps_of([[NOISE, SPECTRAL]], [[3.0, 0.7]], [0, 1], size=1)
    noisy = image + 3 * normals(7, 40).reshape(image.shape)
    tap = 1 + 0.7 * normals(8, 1)[0]
    expected = np.clip(tap * np.clip(noisy, 0, 1), 0, 1)
    assert np.abs(expected - np.clip(tap * noisy, 0, 1)).max() > 0.1
    np.testing.assert_allclose(module.prime_views(image, steps), expected, rtol=0, atol=max(tolerance, 5e-6))


def test_a_filter_step_has_its_delta_at_the_center(kernels):
    module, tolerance = kernels
    image = RNG.random((1, 2, 6, 7), dtype=np.float32)
    for size in (2, 3, 4):
        steps = steps_of([[SPECTRAL]], [[0.05]], [0, 1], size=size)
        taps = 0.05 * normals(7, size * size).reshape(size, size)
        taps[size // 2, size // 2] += 1
        expected = sum(
            taps[i, j] * shifted(image.astype(np.float64), size // 2 - i, size // 2 - j)
            for i in range(size)
            for j in range(size)
        )
        given = module.prime_views(image, steps)
        np.testing.assert_allclose(given, np.clip(expected, 0, 1), rtol=0, atol=max(tolerance, 5e-6))


def test_the_normals_of_a_color_step(kernels):
    """Frequency k of channel c has normal (k - 1) % 4 of block ((k - 1) // 4) C + c."""
    module, tolerance = kernels
    image = RNG.random((1, 2, 4, 5), dtype=np.float32)
    steps = steps_of([[COLOR]], [[0.05]], [0, 1], first=[[3]], last=[[6]])
    drawn = normals(7, 16).reshape(4, 4)
    expected = image.astype(np.float64)
    for c in range(2):
        for k in range(3, 7):
            expected[:, c] += 0.05 * drawn[(k - 1) // 4 * 2 + c, (k - 1) % 4] * np.sin(np.pi * k * image[:, c])
    given = module.prime_views(image, steps)
    np.testing.assert_allclose(given, np.clip(expected, 0, 1), rtol=0, atol=max(tolerance, 5e-6))


def test_the_normals_of_a_displacement(kernels):
    """Mode (p, q), from 0, of axis a: lane 2 (p % 2) + a of block (p // 2) (W - 2) + q; variance T / (i^2 + j^2)."""
    module, tolerance = kernels
    image = RNG.random((1, 1, 5, 6), dtype=np.float32)
    steps = steps_of([[SPATIAL]], [[0.1]], [0, 1], last=[[8]])
    drawn = normals(7, 32).reshape(8, 4)
    y, x = np.linspace(0, 1, 5)[:, None], np.linspace(0, 1, 6)
    field = np.zeros((1, 2, 5, 6))
    for i, j in ((1, 1), (1, 2), (2, 1), (2, 2)):  # i^2 + j^2 <= 8, and no aliases on this grid
        p, q = i - 1, j - 1
        for axis, scale in ((0, 5), (1, 6)):
            b = 0.1 / np.sqrt(i * i + j * j) * drawn[p // 2 * 4 + q, 2 * (p % 2) + axis]
            field[0, axis] += scale * b * np.sin(np.pi * i * y) * np.sin(np.pi * j * x)
    expected = reference.warp(image, field)
    assert np.abs(expected - image).max() > 0.01
    np.testing.assert_allclose(module.prime_views(image, steps), expected, rtol=0, atol=max(tolerance, 5e-6))


def test_the_clean_image_has_the_first_weight(kernels):
    module, tolerance = kernels
    image = RNG.random((1, 1, 4, 4), dtype=np.float32)
    steps = steps_of([[IDENTITY], [NOISE], [NOISE]], [[0], [0.1], [0.1]], [0.5, 0.125, 0.25, 0.125])
    noisy = [np.clip(image + 0.1 * normals(stage, 16).reshape(image.shape), 0, 1) for stage in (8, 9)]
    expected = 0.625 * image + 0.25 * noisy[0] + 0.125 * noisy[1]
    np.testing.assert_allclose(module.prime_views(image, steps), expected, rtol=0, atol=max(tolerance, 5e-6))

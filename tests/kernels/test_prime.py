"""The identities that make PRIME fast, and whole views against the float64 reference."""

import sys

import numpy as np
import pytest

from passband.kernels import cpu, reference
from passband.kernels.checks import check_images
from passband.kernels.cpu.color import BLOCK, LEVELS, color_levels, find_levels, padded_terms
from passband.kernels.cpu.folding import row_variances, tabulate
from passband.kernels.prime_steps import COLOR, IDENTITY, NOISE, SPATIAL, SPECTRAL, PrimeSteps
from passband.kernels.reference.prime import fold_modes, mode_variances
from tests.kernels.conftest import on_host

RNG = np.random.default_rng(0)


def plain_field(coefficients, height, width):
    """Sum every mode of (I, J) coefficients on the grid, in long-hand."""
    rows, columns = np.linspace(0, 1, height), np.linspace(0, 1, width)
    i, j = (np.arange(1, n + 1) for n in coefficients.shape)
    return np.sin(np.pi * np.outer(rows, i)) @ coefficients @ np.sin(np.pi * np.outer(j, columns))


@pytest.mark.parametrize(
    ("height", "width", "modes"), [(32, 32, 100), (224, 224, 500), (31, 18, 100), (3, 5, 40), (16, 2, 9)]
)
def test_folding_is_exact(height, width, modes):
    b = RNG.standard_normal((modes, modes)) / modes
    folded = fold_modes(b, height, width)
    assert folded.shape == (height - 2, width - 2)
    field = reference.sine_field(np.stack([folded, 0 * folded])[None], height, width)[0, 0] / height
    np.testing.assert_allclose(field, plain_field(b, height, width), rtol=0, atol=1e-11 if modes == 500 else 1e-12)


@pytest.mark.parametrize(("height", "width", "cut"), [(16, 16, 50), (32, 32, 20), (9, 14, 40), (3, 4, 7), (40, 5, 39)])
def test_folded_variances_are_sums_over_aliases(height, width, cut):
    limit = cut * cut + cut
    total = np.zeros((height - 2, width - 2))
    for i in range(1, cut + 2):
        for j in range(1, cut + 2):
            if i * i + j * j <= limit:
                mode = np.zeros((i, j))
                mode[-1, -1] = (i * i + j * j) ** -0.5
                total += fold_modes(mode, height, width) ** 2
    np.testing.assert_allclose(mode_variances(limit, height, width), total, rtol=1e-12)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (224, 224), (9, 14), (14, 9), (3, 4), (40, 5), (3, 3)])
@pytest.mark.parametrize("limit", [2, 5, 6, 110, 961, 10100, 250500])
def test_fast_variances_agree(height, width, limit):
    expected = mode_variances(limit, height, width)
    row, numbers = np.empty(width - 2, np.float32), np.arange(1, width - 1, dtype=np.float32)
    for p in range(1, height - 1):
        stop = row_variances(row, numbers, p, limit, height, width)
        np.testing.assert_allclose(row, expected[p - 1], rtol=1e-5)  # float32 sums of up to 1e5 terms
        assert (expected[p - 1, stop:] == 0).all()


def test_tables_of_deviations():
    limits = np.array([110, 6, 110, 10100])
    tables, places = tabulate(limits, 9, 14)
    assert places.tolist() == [1, 0, 1, 2]
    for limit, place in zip(limits, places, strict=True):
        np.testing.assert_allclose(tables.deviations[place] ** 2, mode_variances(limit, 9, 14), rtol=1e-5)
    for height, width in ((224, 224), (2, 9), (1, 1)):
        tables, places = tabulate(limits, height, width)
        assert (len(tables.deviations), places.tolist()) == (0, [-1] * 4)


@pytest.mark.parametrize(
    ("first", "terms", "sigma", "bound"),
    [(1, 100, 0.1, 1e-3), (480, 20, 0.22, 6e-5), (1, 20, 0.22, 2e-5), (1, 500, 0.1, 2e-3), (7, 2001, 0.22, 5e-3)],
)
def test_error_of_the_recurrence(first, terms, sigma, bound):
    """Over all of [0, 1], ends included, at the strengths of the presets; 500 terms need the recurrence begun anew."""
    rng = np.random.default_rng(terms)
    images = rng.random((4, 3, 30, 40), dtype=np.float32)
    images[0], images[1, :, :, :7] = np.linspace(0, 1, 1200).reshape(30, 40), 1
    a = (rng.standard_normal((4, 3, terms)) * sigma).astype(np.float32)
    firsts = np.full(4, first)
    given, expected = cpu.smooth_color(images, a, firsts), reference.smooth_color(images, a, firsts)
    assert ((expected > 0) & (expected < 1)).mean() > 0.1
    assert np.abs(given - expected).max() < bound


@pytest.mark.parametrize("terms", [1, 2, 3, 17])
def test_a_table_of_levels_changes_no_bit(terms):
    levels = RNG.integers(0, 256, 3000).astype(np.uint8)
    x = (levels / 255).astype(np.float32)
    found = np.empty(3000, np.uint8)
    assert find_levels(found, x)
    np.testing.assert_array_equal(found, levels)
    a = np.zeros(padded_terms(terms), np.float32)
    a[:terms] = 0.1
    out, state, table = np.empty_like(x), np.zeros((3, BLOCK), np.float32), np.zeros((2, LEVELS), np.float32)
    color_levels(out, levels, a, len(a), 5, state, table)
    by_pixel = cpu.smooth_color(x.reshape(1, 1, 30, 100), a[None, None, :terms], np.array([5]))
    np.testing.assert_array_equal(out, by_pixel.ravel())


@pytest.mark.parametrize("spoil", [0.5, np.nextafter(np.float32(7 / 255), np.float32(1)), -1e-3, 1.01, np.nan])
def test_other_values_are_not_taken_for_levels(spoil):
    x = (np.arange(256) / 255).astype(np.float32)
    x[100] = spoil
    assert not find_levels(np.empty(256, np.uint8), x)


def test_color_does_not_depend_on_the_place_in_a_block():
    x = RNG.random(2500, dtype=np.float32)
    a, first = (RNG.standard_normal((1, 1, 30)) * 0.1).astype(np.float32), np.array([4])
    whole = cpu.smooth_color(x.reshape(1, 1, 50, 50), a, first).ravel()
    for start, count in ((0, 1), (7, 31), (1000, 1500), (2499, 1)):
        part = cpu.smooth_color(x[start : start + count].reshape(1, 1, 1, count), a, first).ravel()
        np.testing.assert_array_equal(part, whole[start : start + count])


def make_steps(kinds, **changes):
    """Return steps of these kinds, (n, m, s), with strengths and frequencies for each."""
    kinds = np.asarray(kinds, np.uint8)
    n, m, s = kinds.shape
    given = {
        "key": 0x0123456789ABCDEF,
        "indices": np.arange(n, dtype=np.uint32) + 2**31,
        "view": 2**32 - 3,
        "stages": np.arange(m * s, dtype=np.uint32).reshape(m, s) + 2**24,
        "kinds": kinds,
        "strengths": np.choose(kinds, [0, 0.5, 0.005, 0.05, 0.1]).astype(np.float32),
        "first": np.where(kinds == COLOR, 3, 0).astype(np.int32),
        "last": np.choose(kinds, [0, 0, 110, 27, 0]).astype(np.int32),
        "weights": np.full((n, m + 1), 1 / (m + 1), np.float32),
        "size": 3,
    }
    return PrimeSteps(**{**given, **changes})


def only_chain(strength):
    """Return the changes for one step of this strength, not mixed with the clean image."""
    return {"strengths": np.full((1, 1, 1), strength, np.float32), "weights": np.array([[0, 1]], np.float32)}


@pytest.mark.parametrize("kind", [IDENTITY, SPECTRAL, SPATIAL, COLOR, NOISE])
@pytest.mark.parametrize(
    "shape", [(2, 3, 32, 32), (2, 1, 7, 12), (1, 5, 33, 9), (2, 3, 1, 1), (2, 2, 2, 40), (1, 3, 65, 3)]
)
def test_each_primitive_agrees_with_the_reference(backend, kind, shape):
    images = RNG.random(shape, dtype=np.float32)
    steps = make_steps(np.full((shape[0], 1, 1), kind), weights=np.array([[0, 1]] * shape[0], np.float32))
    given, expected = on_host(backend.prime_views(images, steps)), reference.prime_views(images, steps)
    assert given.dtype == np.float32
    np.testing.assert_allclose(given, expected, rtol=0, atol=2e-4)
    if kind != IDENTITY and shape[-1] > 2 and shape[-2] > 2:
        assert np.abs(expected - images).mean() > 0.005


@pytest.mark.parametrize("size", [1, 2, 4, 5])
def test_other_sizes_of_filter(backend, size):
    images = RNG.random((2, 3, 9, 11), dtype=np.float32)
    steps = make_steps(np.full((2, 2, 2), SPECTRAL), size=size)
    np.testing.assert_allclose(
        on_host(backend.prime_views(images, steps)), reference.prime_views(images, steps), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("last", [10100, 250500])
def test_modes_beyond_the_grid(backend, last):
    images = RNG.random((2, 3, 20, 30), dtype=np.float32)
    steps = make_steps(np.full((2, 1, 1), SPATIAL), last=np.full((2, 1, 1), last))
    np.testing.assert_allclose(
        on_host(backend.prime_views(images, steps)), reference.prime_views(images, steps), rtol=0, atol=1e-4
    )


def test_a_long_chain_of_everything(backend):
    images = RNG.random((3, 3, 32, 40), dtype=np.float32)
    kinds = RNG.integers(0, 5, (3, 4, 6))
    steps = make_steps(kinds, weights=RNG.dirichlet(np.ones(5), 3).astype(np.float32))
    given, expected = on_host(backend.prime_views(images, steps)), reference.prime_views(images, steps)
    assert np.abs(given - expected).mean() < 1e-4


def sine_basis(size):
    return np.sin(np.pi * np.outer(np.arange(1, size - 1), np.linspace(0, 1, size)))


def test_a_mode_keeps_its_coefficient_when_the_cut_grows(any_backend):
    """50 = 1 + 49 = 25 + 25 and 52 = 16 + 36 are neighbours among the sums of two squares.

    Warped ramps show the displacement itself; nothing is clamped at this strength.
    """
    size = 24
    ramp = np.linspace(0, 1, size, dtype=np.float32)
    images, basis = np.stack(np.meshgrid(ramp, ramp, indexing="ij"))[None], sine_basis(size)
    i = np.arange(1, size - 1)
    squares = i[:, None] ** 2 + i**2
    found = {}
    for last in (50, 52):
        steps = make_steps([[[SPATIAL]]], last=np.array([[[last]]]), **only_chain(0.002))
        views = on_host(any_backend.prime_views(images, steps)).astype(np.float64)
        field = (images[0] - views[0]) * (size - 1) / size
        found[last] = (2 / (size - 1)) ** 2 * basis @ field @ basis.T
    assert (np.abs(found[50][:, squares <= 50]) > 1e-5).mean() > 0.9
    assert (np.abs(found[52][:, squares == 52]) > 1e-5).all()
    for last, coefficients in found.items():
        np.testing.assert_allclose(coefficients[:, squares > last], 0, atol=1e-6)
    np.testing.assert_allclose(found[52][:, squares <= 50], found[50][:, squares <= 50], atol=1e-6)


@pytest.mark.parametrize(("band", "wider"), [((1, 10), (1, 11)), ((5, 9), (3, 9)), ((4, 6), (2, 14))])
def test_a_frequency_keeps_its_coefficient_when_the_band_grows(any_backend, band, wider):
    size = 48
    images = np.broadcast_to(np.linspace(0, 1, size, dtype=np.float32), (1, 3, 1, size))
    found = []
    for first, last in (band, wider):
        steps = make_steps([[[COLOR]]], first=np.array([[[first]]]), last=np.array([[[last]]]), **only_chain(0.003))
        views = on_host(any_backend.prime_views(images, steps))
        coefficients = 2 / (size - 1) * (views - images.astype(np.float64))[0, :, 0] @ sine_basis(size).T
        inside = (np.arange(1, size - 1) >= first) & (np.arange(1, size - 1) <= last)
        assert (np.abs(coefficients[:, inside]) > 1e-5).mean() > 0.9
        np.testing.assert_allclose(coefficients[:, ~inside], 0, atol=1e-6)
        found.append(coefficients[:, band[0] - 1 : band[1]])
    np.testing.assert_allclose(found[1], found[0], atol=1e-6)


def test_blank_images_and_empty_batches(backend):
    kinds = np.full((2, 3, 3), COLOR)
    for shape in ((0, 3, 8, 8), (2, 3, 8, 8)):
        steps = make_steps(kinds[: shape[0]])
        for level in (0, 1):
            views = on_host(backend.prime_views(np.full(shape, level, np.float32), steps))
            assert views.shape == shape
            np.testing.assert_allclose(views, level, atol=1e-6)  # sin(pi k) = 0


def test_read_only_and_strided_input(backend):
    images = RNG.random((2, 3, 8, 18), dtype=np.float32)
    steps = make_steps(np.full((2, 1, 2), SPECTRAL))
    expected = on_host(backend.prime_views(np.ascontiguousarray(images[..., ::2]), steps))
    fixed = images[..., ::2]
    fixed.flags.writeable = False
    np.testing.assert_array_equal(on_host(backend.prime_views(fixed, steps)), expected)


def test_wrong_arguments_are_named(any_backend):
    backend = any_backend
    images = np.zeros((2, 3, 8, 9), np.float32)
    for call, match in (
        (lambda: backend.smooth_color(images, np.zeros((2, 4, 5)), [1, 1]), r"coefficients: needs shape \(2, 3, any\)"),
        (lambda: backend.smooth_color(images, np.zeros((2, 3, 5)), [1]), r"first_frequency: needs shape \(2\)"),
        (lambda: backend.random_filter(images, np.zeros((2, 3, 4))), r"weights: needs shape \(2, 4, 4\)"),
        (lambda: backend.warp(images, np.zeros((2, 2, 9, 8))), r"displacement: needs shape \(2, 2, 8, 9\)"),
        (lambda: backend.sine_field(np.zeros((1, 2, 7, 7)), 8, 9), r"coefficients.*modes"),
        (lambda: backend.sine_field(np.zeros((1, 3, 2, 2)), 8, 9), r"coefficients: needs shape"),
        (lambda: backend.mix(np.zeros((4, 2, 3, 8, 9)), np.zeros((4, 2))), r"weights: needs shape \(2, 4\)"),
        (lambda: backend.prime_views(images, make_steps(np.zeros((3, 1, 1)))), r"steps.kinds"),
    ):
        with pytest.raises(ValueError, match=match):
            call()


def test_images_are_checked():
    with pytest.raises(ValueError, match="float32, got float64"):
        cpu.warp(np.zeros((1, 1, 2, 2)), np.zeros((1, 2, 2, 2)))
    with pytest.raises(ValueError, match="floating-point array, got uint8"):
        check_images(np.zeros((1, 1, 2, 2), np.uint8))
    with pytest.raises(ValueError, match=r"C, H, W >= 1, got \(1, 1, 0, 2\)"):
        check_images(np.zeros((1, 1, 0, 2), np.float32))


@pytest.mark.parametrize("shape", [(7, 3, 33, 40), (3, 3, 64, 64), (5, 1, 9, 3), (2, 5, 30, 17)])
@pytest.mark.parametrize("size", [3, 6])
def test_what_saves_memory_at_large_images_changes_no_bit(monkeypatch, shape, size):
    kinds = RNG.integers(0, 5, (shape[0], 3, 3)).astype(np.uint8)
    steps = make_steps(kinds, size=size)
    images = RNG.random(shape, np.float32)
    displacement = (20 * RNG.random((shape[0], 2, *shape[2:])) - 10).astype(np.float32)
    views, warped = cpu.prime_views(images, steps), cpu.warp(images, displacement)
    monkeypatch.setattr(sys.modules["passband.kernels.cpu.warp"], "_MOST_SIDE_BY_SIDE", 0)  # its function has its name
    np.testing.assert_array_equal(cpu.prime_views(images, steps), views)
    np.testing.assert_array_equal(cpu.warp(images, displacement), warped)

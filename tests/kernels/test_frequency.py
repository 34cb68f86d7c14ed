"""Known answers of the frequency filters, on the float64 reference and on both backends."""

import math
import tracemalloc

import numpy as np
import pytest
import scipy.fft
from hypothesis import given, settings
from hypothesis import strategies as st

from passband.kernels import cuda
from passband.kernels.cpu import frequency as cpu
from passband.kernels.cpu.chunks import CHUNK_BYTES
from passband.kernels.cpu.threads import get_num_threads, set_num_threads
from passband.kernels.reference import frequency as reference
from tests.kernels.conftest import OnHost

SHAPES = [(2, 3, 32, 32), (1, 1, 1, 1), (2, 1, 1, 7), (2, 3, 9, 1), (3, 2, 31, 29), (1, 3, 33, 20), (0, 3, 8, 8)]
FILTERS = {
    "low": lambda k, x: k.radial_filter(x, 0, 3),
    "high": lambda k, x: k.radial_filter(x, 3, math.inf),
    "band": lambda k, x: k.radial_filter(x, 1.5, 4.2),
    "dct low": lambda k, x: k.dct_filter(x, (min(x.shape[2:]) + 1) // 2, "low"),
    "dct high": lambda k, x: k.dct_filter(x, (min(x.shape[2:]) + 1) // 2, "high"),
    "dct flip": lambda k, x: k.dct_flip(x),
    "svd leading": lambda k, x: k.svd_filter(x, (min(x.shape[2:]) + 1) // 2, "leading"),
    "svd trailing": lambda k, x: k.svd_filter(x, (min(x.shape[2:]) + 1) // 2, "trailing"),
    "phase only": lambda k, x: k.phase_only(x),
}
sizes = st.tuples(st.integers(0, 3), st.integers(1, 3), st.integers(1, 41), st.integers(1, 41))


@pytest.fixture(params=[(reference, 1e-12), (cpu, 2e-6), (OnHost(cuda), 2e-6)], ids=["reference", "cpu", "cuda"])
def kernels(request):
    """Return a module of filters and the absolute error that its dtype allows."""
    if isinstance(request.param[0], OnHost):
        request.getfixturevalue("device")
    return request.param


def noise(shape, seed=0):
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def sinusoid(height, width, u, v):
    y, x = np.mgrid[:height, :width]
    return (0.5 * np.cos(2 * np.pi * (u * y / height + v * x / width) + 0.3)).astype(np.float32)[None, None]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", FILTERS)
def test_cpu_agrees_with_reference_and_leaves_its_input_alone(name, shape):
    images = noise(shape)
    before = images.copy()
    result = FILTERS[name](cpu, images)
    assert result.dtype == np.float32
    assert result.flags.c_contiguous
    assert not np.shares_memory(result, images)
    np.testing.assert_array_equal(images, before)
    np.testing.assert_allclose(result, FILTERS[name](reference, images), atol=2e-6)


@given(shape=sizes, radius=st.floats(0.1, 40), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_low_and_high_add_up(shape, radius, seed):
    images = noise(shape, seed)
    for kernels, tolerance in ((reference, 1e-12), (cpu, 2e-6)):
        low, high = kernels.radial_filter(images, 0, radius), kernels.radial_filter(images, radius, math.inf)
        np.testing.assert_allclose(low + high, images, atol=tolerance)


@given(shape=sizes, low=st.floats(0.1, 10), width=st.floats(0.1, 20))
@settings(max_examples=30, deadline=None)
def test_band_is_a_difference_of_low_passes(shape, low, width):
    images = noise(shape)
    for kernels, tolerance in ((reference, 1e-12), (cpu, 4e-6)):
        band = kernels.radial_filter(images, low, low + width)
        wide, narrow = kernels.radial_filter(images, 0, low + width), kernels.radial_filter(images, 0, low)
        np.testing.assert_allclose(band, wide - narrow, atol=tolerance)


@pytest.mark.parametrize("shape", [(2, 3, 32, 32), (1, 2, 31, 20), (1, 1, 7, 64)])
def test_energies_of_bands_add_up(kernels, shape):
    module, tolerance = kernels
    images = noise(shape)
    edges = [0, 1, 4, 7.5, 12, math.inf]
    bands = [module.radial_filter(images, low, high) for low, high in zip(edges, edges[1:], strict=False)]
    energy = sum((band.astype(np.float64) ** 2).sum() for band in bands)
    assert energy == pytest.approx((images.astype(np.float64) ** 2).sum(), rel=tolerance)


@pytest.mark.parametrize("shape", SHAPES)
def test_low_pass_keeps_the_mean(kernels, shape):
    module, tolerance = kernels
    images = noise(shape)
    for result in (module.radial_filter(images, 0, 0.5), module.dct_filter(images, 1, "low")):
        np.testing.assert_allclose(
            result, np.broadcast_to(images.mean((2, 3), np.float64, keepdims=True), shape), atol=tolerance
        )


@pytest.mark.parametrize(("height", "width"), [(32, 32), (31, 33), (20, 45)])
@pytest.mark.parametrize(("u", "v"), [(0, 5), (5, 0), (3, 4), (-3, 4), (4, 3), (0, 1), (7, 9), (-10, 9)])
def test_sinusoid_passes_or_not_exactly_as_the_mask_says(kernels, height, width, u, v):
    module, tolerance = kernels
    images, d = sinusoid(height, width, u, v), math.hypot(u, v)
    kept = {(0, d): False, (0, d + 1e-6): True, (d, math.inf): True, (d + 1e-6, math.inf): False, (d, d + 1e-6): True}
    for (low, high), passes in kept.items():
        result = module.radial_filter(images, low, high)
        np.testing.assert_allclose(
            result, images if passes else 0 * images, atol=max(tolerance, 1e-7), err_msg=f"{low} {high}"
        )


@pytest.mark.parametrize(("height", "width"), [(8, 8), (9, 7), (8, 5), (1, 6), (6, 1)])
def test_low_pass_of_a_delta_is_its_mask(kernels, height, width):
    module, tolerance = kernels
    delta = np.zeros((1, 1, height, width), np.float32)
    delta[0, 0, 0, 0] = 1
    centered = np.fft.fftshift(np.fft.fft2(module.radial_filter(delta, 1, 3)), axes=(2, 3))[0, 0]
    rows, columns = np.mgrid[:height, :width]
    distance = np.hypot(rows - height // 2, columns - width // 2)
    np.testing.assert_allclose(centered, (distance >= 1) & (distance < 3), atol=height * width * tolerance)


@given(height=st.integers(1, 60), width=st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_half_radius_is_half_of_the_radius(height, width):
    full = np.fft.ifftshift(reference.radius(height, width))
    np.testing.assert_array_equal(np.sqrt(cpu.half_radius_squared(height, width)), full[:, : width // 2 + 1])


@given(shape=sizes)
@settings(max_examples=30, deadline=None)
def test_dct_flip_is_an_involution_that_keeps_energy(shape):
    images = noise(shape)
    for kernels, tolerance in ((reference, 1e-12), (cpu, 4e-6)):
        flipped = kernels.dct_flip(images)
        np.testing.assert_allclose(kernels.dct_flip(flipped), images, atol=tolerance)
        assert np.sum(flipped.astype(np.float64) ** 2) == pytest.approx(
            np.sum(images.astype(np.float64) ** 2), rel=1e-5
        )


def dct_basis(height, width, u, v):
    coefficients = np.zeros((1, 1, height, width), np.float32)
    coefficients[0, 0, u, v] = 1
    return scipy.fft.idctn(coefficients, axes=(2, 3), norm="ortho")


@pytest.mark.parametrize(("height", "width"), [(8, 8), (7, 12), (12, 5)])
def test_dct_corner_and_flip_of_each_basis_function(kernels, height, width):
    module, tolerance = kernels
    for u in range(height):
        for v in range(width):
            basis = dct_basis(height, width, u, v)
            low, high = u < 4 and v < 4, u >= height - 4 and v >= width - 4
            np.testing.assert_allclose(module.dct_filter(basis, 4, "low"), basis * low, atol=max(tolerance, 1e-7))
            np.testing.assert_allclose(module.dct_filter(basis, 4, "high"), basis * high, atol=max(tolerance, 1e-7))
            mirrored = dct_basis(height, width, height - 1 - u, width - 1 - v)
            np.testing.assert_allclose(module.dct_flip(basis), mirrored, atol=max(tolerance, 1e-7))


def test_svd_splits_known_components(kernels):
    module, tolerance = kernels
    columns, rows = np.linalg.qr(noise((9, 3)))[0], np.linalg.qr(noise((12, 3), 1))[0]
    parts = [(s * np.outer(columns[:, i], rows[:, i])).astype(np.float32) for i, s in enumerate((4.0, 2.0, 1.0))]
    images = sum(parts)[None, None]
    np.testing.assert_allclose(module.svd_filter(images, 1, "leading")[0, 0], parts[0], atol=2e-6)
    np.testing.assert_allclose(module.svd_filter(images, 2, "trailing")[0, 0], parts[2], atol=2e-6)
    np.testing.assert_allclose(module.svd_filter(images, 9, "trailing"), 0 * images, atol=tolerance)
    both = module.svd_filter(images, 2, "leading") + module.svd_filter(images, 2, "trailing")
    np.testing.assert_allclose(both, images, atol=max(tolerance, 1e-7))


@pytest.mark.parametrize("shape", [(2, 3, 32, 32), (1, 1, 31, 20), (1, 2, 9, 1)])
def test_phase_only_has_flat_amplitude_and_the_old_phase(kernels, shape):
    module, tolerance = kernels
    images = noise(shape)
    before, after = np.fft.fft2(images.astype(np.float64)), np.fft.fft2(module.phase_only(images).astype(np.float64))
    mean = np.abs(before).mean((2, 3), keepdims=True)
    np.testing.assert_allclose(after, mean * before / np.abs(before), atol=1e-9 if module is reference else 1e-3)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (31, 29), (97, 101), (224, 224), (223, 211)])
@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_phase_only_of_a_constant_is_a_delta(kernels, height, width, level):
    # In exact arithmetic only zero frequency has amplitude; the rest must not become full-strength noise.
    module, _ = kernels
    delta = np.zeros((1, 1, height, width))
    delta[0, 0, 0, 0] = level
    np.testing.assert_allclose(module.phase_only(np.full((1, 1, height, width), level, np.float32)), delta, atol=1e-5)


def test_nan_stays_in_its_channel():
    images = noise((3, 2, 8, 8))
    clean = cpu.phase_only(images)
    images[1, 0, 3, 3] = np.nan
    result = cpu.phase_only(images)
    assert np.isnan(result[1, 0]).all()
    result[1, 0] = clean[1, 0]
    np.testing.assert_array_equal(result, clean)


@pytest.mark.parametrize(("name", "value", "keep"), [("size", 0, "low"), ("size", 6, "low"), ("size", 2, "top")])
def test_impossible_dct_is_refused(kernels, name, value, keep):
    with pytest.raises(ValueError, match="allowed: (1 to 5|low, high)"):
        kernels[0].dct_filter(noise((1, 1, 5, 9)), value, keep)


@pytest.mark.parametrize(("value", "keep"), [(0, "leading"), (6, "trailing"), (2, "low")])
def test_impossible_svd_is_refused(kernels, value, keep):
    with pytest.raises(ValueError, match="allowed: (1 to 5|leading, trailing)"):
        kernels[0].svd_filter(noise((1, 1, 5, 9)), value, keep)


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("size", [(32, 32), (7, 13), (224, 224)])
def test_bits_depend_neither_on_the_split_nor_on_the_threads(name, size):
    rows = CHUNK_BYTES // (4 * 3 * size[0] * size[1])
    images = noise((2 * rows + 3 if size[0] > 7 else 8, 3, *size))  # three chunks, the last one short
    whole = FILTERS[name](cpu, images)
    parts = np.concatenate([FILTERS[name](cpu, images[part]) for part in (slice(0, 3), slice(3, 4), slice(4, None))])
    np.testing.assert_array_equal(parts, whole)
    np.testing.assert_array_equal(FILTERS[name](cpu, images[::-1])[::-1], whole)
    threads = get_num_threads()
    try:
        for count in (1, 3):
            set_num_threads(count)
            np.testing.assert_array_equal(FILTERS[name](cpu, images), whole)
    finally:
        set_num_threads(threads)


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("shape", [(8, 3, 32, 32), (600, 3, 32, 32), (1, 3, 224, 224), (12, 3, 224, 224)])
def test_peak_memory_is_at_most_six_batches(name, shape):
    images = noise(shape)
    FILTERS[name](cpu, images)
    tracemalloc.start()
    FILTERS[name](cpu, images)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert images.nbytes + peak <= 6 * images.nbytes

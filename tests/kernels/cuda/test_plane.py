"""Whole planes in shared memory: the fused kernels against the reference and the FFT route, and when they are taken."""

import math
from contextlib import contextmanager

import numpy as np
import pytest

from passband.kernels import cuda, reference
from passband.kernels.cuda import plane
from passband.kernels.cuda.device import use
from passband.kernels.cuda.frequency import radial_rounded
from tests.cuda_host.device import HostDevice

SIDES = [side for side in plane.LAYOUTS if side <= plane.DEFAULT_LIMIT]
OPERATORS = {
    "low": lambda k, x: k.radial_filter(x, 0, x.shape[3] / 6),
    "high": lambda k, x: k.radial_filter(x, 3, math.inf),
    "band": lambda k, x: k.radial_filter(x, 1, math.hypot(2, 5)),
    "nothing": lambda k, x: k.radial_filter(x, 99, math.inf),
    "edge": lambda k, x: k.radial_filter(x, x.shape[3] / 2, math.inf),  # the middle row and column, and the corners
    "phase only": lambda k, x: k.phase_only(x),
    "there": lambda k, x: k.half_spectrum(x),
    "back": lambda k, x: k.from_half_spectrum(spectra_of(x), x.shape[3]),
    "step": lambda k, x: k.ascend_spectrum(spectra_of(x), x[::-1] - np.float32(0.5), sensitivity_of(x), 0.3),
}
FILTERS = ["low", "high", "band", "nothing", "edge", "phase only"]

# An FFT of N values in float32 has an rms error of about 2^-24 sqrt(log2 N) times the rms of its result (Schatzman
# 1996), and no pixel or bin is off by more than a few times that. Zero frequency is far above the rms: a spectrum is
# held to its largest bin. Found: 3.1e-7 and 1.3e-7, which is what the FFT route has too.
IMAGE, SPECTRUM = 6e-7, 3e-7
TIMES_RMS = 5  # the largest of thousands of errors, found up to 2.5


def images_of(side, count=2, channels=2):
    return np.random.default_rng(side).random((count, channels, side, side), dtype=np.float32)


def spectra_of(images):
    """Return spectra that no real image has: the mirror images in their edge columns disagree."""
    rng = np.random.default_rng(1)
    shape = *images.shape[:3], images.shape[3] // 2 + 1
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


def sensitivity_of(images):
    return np.random.default_rng(2).random((images.shape[2], images.shape[3] // 2 + 1), dtype=np.float32)


@contextmanager
def limit(side):
    before = plane.set_fused_limit(side)
    try:
        yield
    finally:
        plane.set_fused_limit(before)


def run(name, images, **host):
    """Return an operator's result on the host device, as an array of NumPy, and the sources that it launched."""
    with use(HostDevice(**host)) as device:
        result = device.asnumpy(OPERATORS[name](cuda, images))
        return result, [source for source, *_ in device.launches]


def is_fused(sources):
    return len(sources) == 1 and sources[0].startswith("plane_")


def tolerance(name, images, expected):
    if name == "phase only":
        return phase_tolerance(images)
    return IMAGE if name in FILTERS or name == "back" else SPECTRUM * np.abs(expected).max()


def phase_tolerance(images):
    """A bin's phase is as uncertain as its amplitude is small, and the full amplitude goes with it."""
    amplitude = np.abs(np.fft.fft2(images.astype(np.float64)))
    bins = images.shape[2] * images.shape[3]
    error = 2.0**-24 * np.sqrt(np.log2(bins) * np.mean(amplitude**2, axis=(2, 3), keepdims=True))
    phases = np.sqrt(np.sum((error / np.maximum(amplitude, error)) ** 2, axis=(2, 3)))
    return TIMES_RMS * np.max(amplitude.mean(axis=(2, 3)) / bins * phases)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", OPERATORS)
def test_fused_agrees_with_reference_and_ffts_in_any_order_of_threads(name, side):
    images = images_of(side)
    expected = OPERATORS[name](reference, images)
    with limit(0):
        by_fft, sources = run(name, images)
    assert not any(source.startswith("plane_") for source in sources)
    results = []
    for seed in (0, 1, 2):
        result, sources = run(name, images, seed=seed)
        assert is_fused(sources)
        results.append(result)
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])
    assert results[0].dtype == by_fft.dtype
    allowed = tolerance(name, images, expected)
    np.testing.assert_allclose(results[0], expected, rtol=0, atol=allowed)
    np.testing.assert_allclose(results[0], by_fft, rtol=0, atol=2 * allowed)


@pytest.mark.parametrize("name", ["low", "edge", "phase only"])
def test_a_side_of_224_is_fused_only_when_asked_for(name):
    images = images_of(224, 1, 1)
    assert not any(source.startswith("plane_") for source in run(name, images)[1])
    with limit(224):
        result, sources = run(name, images)
    assert is_fused(sources)
    expected = OPERATORS[name](reference, images)
    np.testing.assert_allclose(result, expected, rtol=0, atol=tolerance(name, images, expected))


def test_a_device_with_too_little_shared_memory_takes_ffts():
    sm_80 = 166912
    with limit(224):
        assert not is_fused(run("low", images_of(224, 1, 1), shared_bytes=sm_80)[1])
        assert is_fused(run("low", images_of(64), shared_bytes=sm_80)[1])
    assert all(plane.shared_bytes(side) <= 48 * 1024 for side in SIDES)
    assert plane.shared_bytes(224) <= 232448


@pytest.mark.parametrize("size", [(32, 28), (16, 32), (30, 30)])
def test_other_sizes_take_ffts(size):
    images = np.random.default_rng(0).random((2, 1, *size), dtype=np.float32)
    result, sources = run("band", images)
    assert not any(source.startswith("plane_") for source in sources)
    np.testing.assert_allclose(result, OPERATORS["band"](reference, images), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", [*FILTERS, "there"])
def test_a_plane_is_a_function_of_itself(name):
    images = images_of(16, 5, 3)
    whole, _ = run(name, images)
    for rows in (slice(2, 3), slice(0, 4), slice(None, None, -1)):
        np.testing.assert_array_equal(run(name, images[rows])[0], whole[rows])


def test_a_plane_back_is_a_function_of_its_spectrum():
    spectra = spectra_of(images_of(16, 5, 3))
    with use(HostDevice()) as device:
        whole = device.asnumpy(cuda.from_half_spectrum(spectra, 16))
        part = device.asnumpy(cuda.from_half_spectrum(spectra[3:1:-1], 16))
    np.testing.assert_array_equal(part, whole[3:1:-1])


def test_an_empty_batch_starts_nothing():
    for name in OPERATORS:
        result, sources = run(name, images_of(32, 0))
        assert len(result) == 0
        assert not sources


def test_what_is_kept_and_what_is_not_add_up():
    images = images_of(28)
    kept, _ = run("low", images)
    with use(HostDevice()) as device:
        rest = device.asnumpy(cuda.radial_filter(images, 28 / 6, math.inf))
    np.testing.assert_allclose(kept + rest, images, rtol=0, atol=2 * IMAGE)


@pytest.mark.parametrize("side", SIDES)
def test_each_pure_wave_passes_exactly_where_its_radius_is_kept(side):
    middle = side // 2
    rows, columns = np.mgrid[:side, :side] * 2 * np.pi / side
    waves = [(u, v) for u in (0, 1, middle - 1, middle, side - 3) for v in (0, 1, 2, middle - 1, middle)]
    images = np.array([np.cos(u * rows + v * columns + 0.3) for u, v in waves], np.float32)[:, None]
    radii = np.array([math.hypot(min(u, side - u), v) for u, v in waves])
    edge = side / 2 - 1.0
    with use(HostDevice()) as device:
        result = device.asnumpy(cuda.radial_filter(images, edge, math.inf))
    expected = np.where((radii >= edge)[:, None, None, None], images, 0)
    np.testing.assert_allclose(result, expected, rtol=0, atol=2 * IMAGE)


@pytest.mark.parametrize("side", [16, 32, 30])
def test_pixels_are_those_of_the_filtered_images(side):
    images = images_of(side, 3, 3)
    with use(HostDevice()) as device:
        expected = device.asnumpy(cuda.to_uint8(cuda.radial_filter(images, 0, 4)))
        before = len(device.launches)
        pixels, first_bad = map(device.asnumpy, radial_rounded(images, 0, 4))
    np.testing.assert_array_equal(pixels, expected)
    assert first_bad == [3]
    assert (len(device.launches) - before == 1) == (side in SIDES)


def test_pixels_that_are_not_finite_are_told():
    images = images_of(16, 3, 3)
    images[1, 2, 3, 4] = np.inf
    with use(HostDevice()) as device:
        assert device.asnumpy(radial_rounded(images, 0, 4)[1]) == [1]


def test_nan_stays_in_its_channel():
    images = images_of(32)
    clean, _ = run("phase only", images)
    images[1, 0, 3, 3] = np.nan
    result, _ = run("phase only", images)
    assert np.isnan(result[1, 0]).all()
    result[1, 0] = clean[1, 0]
    np.testing.assert_array_equal(result, clean)


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("side", SIDES)
def test_phase_only_of_a_constant_is_a_delta(side, level):
    delta = np.zeros((1, 1, side, side))
    delta[..., 0, 0] = level
    result, _ = run("phase only", np.full(delta.shape, level, np.float32))
    np.testing.assert_allclose(result, delta, rtol=0, atol=1e-5)

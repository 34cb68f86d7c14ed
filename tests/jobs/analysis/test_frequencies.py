import numpy as np
import pytest

from passband.jobs.analysis.amplitude import MeanAmplitude, mean_amplitude
from passband.jobs.analysis.frequencies import centered_map, distinct_frequencies, multiplicity

SIZES = [(4, 4), (5, 5), (4, 7), (7, 4), (1, 1), (1, 6), (2, 2), (16, 12)]


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_half_of_the_frequencies_are_distinct(height, width):
    own = sum((-i % height, -j % width) == (i, j) for i in range(height) for j in range(width))
    found = {tuple(pair) for pair in distinct_frequencies(height, width).tolist()}
    assert len(found) == (height * width + own) // 2
    assert found | {(-i % height, -j % width) for i, j in found} == set(np.ndindex(height, width))
    assert multiplicity(height, width).sum() == height * width


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_a_map_is_centered_and_mirror_symmetric(height, width):
    pairs = distinct_frequencies(height, width)
    whole = centered_map(np.arange(len(pairs), dtype=float), height, width)
    for value, (i, j) in enumerate(pairs.tolist()):
        for u, v in ((i, j), (-i, -j)):
            assert whole[(u + height // 2) % height, (v + width // 2) % width] == value
    assert whole[height // 2, width // 2] == 0  # zero frequency is the first


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_mean_amplitude_is_that_of_numpy(height, width):
    pixels = np.random.default_rng(0).integers(0, 256, (9, height, width, 3), np.uint8)
    expected = np.abs(np.fft.fft2(pixels / 255, axes=(1, 2))).mean((0, 3))
    np.testing.assert_allclose(mean_amplitude(pixels), expected, rtol=1e-5, atol=1e-5)


def test_a_constant_image_has_zero_frequency_alone():
    found = mean_amplitude(np.full((3, 6, 8, 3), 51, np.uint8))
    assert found[0, 0] == pytest.approx(0.2 * 48)
    found[0, 0] = 0
    assert np.abs(found).max() < 1e-6


def test_mean_amplitude_does_not_depend_on_batches():
    pixels = np.random.default_rng(1).integers(0, 256, (50, 9, 10, 3), np.uint8)
    found = []
    for size in (1, 7, 50):
        amplitude = MeanAmplitude(9, 10)
        for start in range(0, len(pixels), size):
            amplitude.add(pixels[start : start + size])
        found.append(amplitude.value())
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])

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


def nearest(position, length, stride):
    """Return the distances of a position to those of the grid, both ways around: {position: distance}."""
    grid = [step * stride % length for step in range(-(length // 2 // stride), length // 2 // stride + 1)]
    return {place: min((position - place) % length, (place - position) % length) for place in grid}


@pytest.mark.parametrize("stride", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(("height", "width"), [(10, 10), (11, 11), (12, 17), (16, 13), (30, 10)])
def test_a_coarse_map_takes_the_nearest_of_its_grid(height, width, stride):
    rng = np.random.default_rng(stride)
    fine = centered_map(rng.random(len(distinct_frequencies(height, width))), height, width)
    layout = np.fft.ifftshift(fine)
    i, j = distinct_frequencies(height, width, stride).T
    assert (i[0], j[0]) == (0, 0)
    coarse = np.fft.ifftshift(centered_map(layout[i, j], height, width, stride))
    np.testing.assert_array_equal(coarse[i, j], layout[i, j])
    np.testing.assert_array_equal(coarse, np.roll(coarse[::-1, ::-1], (1, 1), (0, 1)))
    for u, v in np.ndindex(height, width):
        rows, columns = nearest(u, height, stride), nearest(v, width, stride)
        row_gap, column_gap = min(rows.values()), min(columns.values())
        near = [(r, c) for r in rows for c in columns if (rows[r], columns[c]) == (row_gap, column_gap)]
        assert coarse[u, v] in [layout[place] for place in near]
    if stride == 1:
        np.testing.assert_array_equal(coarse, layout)


@pytest.mark.parametrize("stride", [2, 3, 5, 8])
@pytest.mark.parametrize(("height", "width"), [(16, 16), (17, 16), (21, 19)])
def test_the_grid_is_every_stride_th_frequency_and_its_weights_cover_the_map(height, width, stride):
    def signed(place, length):
        return place if place <= length // 2 else place - length

    whole = {tuple(pair) for pair in distinct_frequencies(height, width).tolist()}
    expected = {(i, j) for i, j in whole if signed(i, height) % stride == signed(j, width) % stride == 0}
    assert {tuple(pair) for pair in distinct_frequencies(height, width, stride).tolist()} == expected
    weights = multiplicity(height, width, stride)
    values = np.arange(len(weights), dtype=float)
    drawn = np.unique(centered_map(values, height, width, stride), return_counts=True)
    assert drawn[0].tolist() == values.tolist()
    assert drawn[1].tolist() == weights.tolist()
    assert weights.sum() == height * width


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

"""The laws that PRIME's parameters follow, column by column: fixed addresses, so no test passes or fails by chance."""

import numpy as np
import pytest
from scipy import stats

from passband.kernels import cpu
from passband.kernels.prime_steps import COLOR, IDENTITY, NOISE, SPATIAL, SPECTRAL
from passband.pipeline.augment import Draws
from passband.pipeline.augment.prime_options import PRESETS, PrimeOptions
from passband.pipeline.augment.prime_sampling import CHAIN, MIXTURE, sample_steps, temperature_range

COUNT = 3000
LEAST = 1e-3
"""A law is refuted below this p-value; of the laws below, wrong ones come out under 1e-9."""
RELEASED = [name for name, numbers in PRESETS.items() if numbers["sampler"] == "released"]
PAPER = [name for name, numbers in PRESETS.items() if numbers["sampler"] == "paper"]


def sample(size=32, count=COUNT, **options):
    """Return the options, the steps and the augmented shares of `count` samples."""
    resolved = PrimeOptions.model_validate(options)
    draws = Draws(0x0123456789ABCDEF, np.arange(count, dtype=np.uint32), 1).at(position=2)
    return resolved, *sample_steps(resolved, draws, size, cpu.words)


def assert_follows(values, law):
    """Assert that `values` come from a continuous distribution of scipy.stats (Kolmogorov-Smirnov)."""
    assert len(values) > 1000
    assert stats.kstest(np.asarray(values, np.float64), law.cdf).pvalue > LEAST


def assert_counts(values, low, probabilities):
    """Assert that integers from `low` on have these probabilities (chi-squared, bins of at least 10 expected)."""
    counts = np.bincount(np.asarray(values) - low, minlength=len(probabilities))
    assert len(counts) == len(probabilities)
    expected = np.asarray(probabilities) * len(values)
    bins = np.minimum(np.cumsum(expected) / 10, np.floor(expected.sum() / 10) - 1).astype(int)
    observed, expected = (np.bincount(bins, column) for column in (counts, expected))
    held = expected > 0
    assert held.sum() > 1
    assert stats.chisquare(observed[held], expected[held]).pvalue > LEAST


def assert_independent(first, second):
    """Assert that two columns are independent (chi-squared on quartiles, or on the values where they are few)."""
    rows, columns = (_codes(np.asarray(column)) for column in (first, second))
    table = np.zeros((rows.max() + 1, columns.max() + 1))
    np.add.at(table, (rows, columns), 1)
    assert min(table.shape) > 1
    assert stats.chi2_contingency(table).pvalue > LEAST


def _codes(column):
    values, codes = np.unique(column, return_inverse=True)
    if len(values) <= 4:
        return codes
    return np.searchsorted(np.quantile(column, [0.25, 0.5, 0.75]), column)


def cut_of(steps, at, sampler):
    """Return the cut K of spatial steps: their largest i^2 + j^2 is K^2 (paper) or K^2 + K (released)."""
    cut = np.sqrt(steps.last[at]) if sampler == "paper" else (np.sqrt(4.0 * steps.last[at] + 1) - 1) / 2
    np.testing.assert_allclose(cut, np.rint(cut), atol=1e-9)
    return np.rint(cut).astype(int)


def cut_law(low, high):
    """Return the probabilities of cuts low..high: top ~ U{low + 1..high}, then an arcsine law over low..top."""
    total = np.zeros(high - low + 1)
    for top in range(low + 1, high + 1):
        edges = np.linspace(0, 1, top - low + 2)
        total[: top - low + 1] += np.diff(2 / np.pi * np.arcsin(np.sqrt(edges)))
    return total / (high - low)


# Temperatures


@pytest.mark.parametrize("size", [28, 32, 224])
def test_ends_of_the_temperature(size):
    cuts = np.arange(2, 600)
    low, high = temperature_range(cuts, size)
    np.testing.assert_allclose(low, 1 / (np.pi * size**2 * np.log(cuts)), rtol=1e-13)
    np.testing.assert_allclose(high, np.maximum(low, 4 / (np.pi**3 * cuts**2 * np.log(cuts))), rtol=1e-13)
    # 4 / (pi^3 K^2) > 1 / (pi n^2) as long as K < 2 n / pi.
    np.testing.assert_array_equal(high > low, cuts < 2 * size / np.pi)


def test_temperatures_worked_by_hand():
    low, high = temperature_range(np.array([10, 20, 21]), 32)
    np.testing.assert_allclose(low, [1.350002e-4, 1.037641e-4, 1.021012e-4], rtol=1e-6)
    np.testing.assert_allclose(high, [5.602665e-4, 1.076583e-4, 1.021012e-4], rtol=1e-6)


def test_paper_draws_the_root_of_the_temperature_uniformly():
    options, steps, _ = sample(preset="cifar-thesis", spatial_cut_max=10)  # less than 2 n / pi: T1 < T2
    at = steps.kinds == SPATIAL
    assert np.unique(steps.last[at]).tolist() == [100]
    low, high = (np.sqrt(float(end[0])) for end in temperature_range(np.array([10]), 32))
    assert_follows(steps.strengths[at], stats.uniform(low, high - low))
    assert options.sampler == "paper"


@pytest.mark.parametrize("preset", PAPER)
def test_a_large_fixed_cut_leaves_one_temperature(preset):
    options, steps, _ = sample(preset=preset)
    at = steps.kinds == SPATIAL
    low, high = temperature_range(np.array([options.spatial_cut_max]), 32)
    assert low == high
    np.testing.assert_allclose(steps.strengths[at], np.sqrt(low[0]), rtol=1e-6)
    assert np.unique(steps.last[at]).tolist() == [options.spatial_cut_max**2]


@pytest.mark.parametrize("preset", RELEASED)
def test_released_temperature_is_arcsine_and_independent_of_the_cut(preset):
    options, steps, _ = sample(preset=preset, size=224)
    at = steps.kinds == SPATIAL
    cut = cut_of(steps, at, "released")
    low, high = temperature_range(cut, 224)
    wide = high > 1.1 * low
    share = ((steps.strengths[at].astype(np.float64) ** 2 - low) / np.where(wide, high - low, 1))[wide]
    assert_follows(np.clip(share, 0, 1), stats.beta(0.5, 0.5))
    if options.spatial_cut_min < options.spatial_cut_max:
        assert_independent(cut[wide], share)


# Cuts of the deformation


@pytest.mark.parametrize(("low", "high"), [(2, 6), (2, 3), (5, 30), (2, 100), (2, 500)])
def test_released_cut_is_arcsine_below_a_uniform_top(low, high):
    options, steps, _ = sample(primitives=["spatial"], spatial_cut_min=low, spatial_cut_max=high)
    at = steps.kinds == SPATIAL
    assert_counts(cut_of(steps, at, options.sampler), low, cut_law(low, high))


@pytest.mark.parametrize("sampler", ["released", "paper"])
def test_a_fixed_cut_keeps_other_modes_in_each_sampler(sampler):
    _, steps, _ = sample(sampler=sampler, spatial_cut_min=10, spatial_cut_max=10, count=500)
    # sqrt(i^2 + j^2) < 10.5 is i^2 + j^2 <= 110.
    assert np.unique(steps.last[steps.kinds == SPATIAL]).tolist() == [110 if sampler == "released" else 100]


# Colour, filter, noise


@pytest.mark.parametrize("preset", RELEASED)
def test_released_color(preset):
    options, steps, _ = sample(preset=preset)
    at = steps.kinds == COLOR
    first, last, sigma, top = steps.first[at], steps.last[at], steps.strengths[at], options.color_cut
    assert_follows(sigma.astype(np.float64) ** 2, stats.uniform(0, options.color_variance))
    if options.color_band is None:
        assert (first == 1).all()
        assert_counts(last, 1, np.full(top, 1 / top))
    else:
        # K' ~ U{1..K}, k0 ~ U{1..K'}: P(k0 = j) = sum_{k >= j} 1 / (k K).
        assert_counts(first, 1, np.cumsum(1 / np.arange(top, 0, -1))[::-1] / top)
        assert (last - first < options.color_band).all()
        assert ((last - first == options.color_band - 1) | (last <= top)).all()
    assert_independent(sigma, last)
    assert_independent(sigma, first if options.color_band else last)


def test_released_band_stops_at_the_drawn_end():
    """For K = 2 and D = 1 or 2 the bands can be counted: K' = 1: {1}; K' = 2: {1, 2} or {2}."""
    for band, expected in ((1, {(1, 1): 3 / 4, (2, 2): 1 / 4}), (2, {(1, 1): 1 / 2, (1, 2): 1 / 4, (2, 2): 1 / 4})):
        _, steps, _ = sample(color_cut=2, color_band=band)
        at = steps.kinds == COLOR
        codes = 2 * (steps.first[at] - 1) + steps.last[at] - 1
        law = np.zeros(4)
        for (first, last), probability in expected.items():
            law[2 * (first - 1) + last - 1] = probability
        counts = np.bincount(codes, minlength=4)
        assert (counts[law == 0] == 0).all()
        assert stats.chisquare(counts[law > 0], law[law > 0] * len(codes)).pvalue > LEAST


@pytest.mark.parametrize("preset", PAPER)
def test_paper_color(preset):
    options, steps, _ = sample(preset=preset)
    at = steps.kinds == COLOR
    first, last, sigma, top = steps.first[at], steps.last[at], steps.strengths[at], options.color_cut
    assert_follows(sigma, stats.uniform(0, np.sqrt(options.color_variance)))
    if options.color_band is None:
        assert np.unique(first).tolist() == [1]
        assert np.unique(last).tolist() == [top]
    else:
        assert_counts(first, 1, np.full(top, 1 / top))
        np.testing.assert_array_equal(last, np.minimum(first + options.color_band - 1, top))
        assert_independent(sigma, first)


@pytest.mark.parametrize("preset", PRESETS)
def test_filter_deviation_is_uniform(preset):
    options, steps, _ = sample(preset=preset)
    assert_follows(steps.strengths[steps.kinds == SPECTRAL], stats.uniform(0, options.spectral_strength))


def test_noise_deviation_is_uniform():
    _, steps, _ = sample(primitives=["color", "noise"], noise_strength=0.3)
    assert_follows(steps.strengths[steps.kinds == NOISE], stats.uniform(0, 0.3))


# Kinds and depths


@pytest.mark.parametrize("preset", PAPER)
def test_paper_steps_are_independent_and_equally_likely(preset):
    _, steps, _ = sample(preset=preset)
    columns = steps.kinds.reshape(COUNT, -1).T
    for number, column in enumerate(columns):
        assert_counts(column, 0, np.full(4, 1 / 4))
        for other in columns[:number]:
            assert_independent(column, other)


@pytest.mark.parametrize("preset", RELEASED)
def test_released_depth_is_uniform_and_each_chain_has_its_own(preset):
    options, steps, _ = sample(preset=preset)
    active = steps.kinds != IDENTITY
    depths = active.sum(axis=2)
    assert (active == (np.arange(options.depth) < depths[..., None])).all()
    for m in range(options.width):
        assert_counts(depths[:, m], 1, np.full(3, 1 / 3))
        assert_independent(depths[:, m], depths[:, m - 1])
    for m in range(options.width):
        for s in range(options.depth):
            assert_counts(steps.kinds[active[:, m, s], m, s], 1, np.full(3, 1 / 3))
    assert_independent(depths[:, 0], steps.kinds[:, 0, 0])


def test_steps_of_a_view_share_no_parameter():
    _, steps, _ = sample(sampler="paper", primitives=["spectral"])
    columns = steps.strengths.reshape(COUNT, -1).T
    for number, column in enumerate(columns):
        for other in columns[:number]:
            assert_independent(column, other)


# Mixture


@pytest.mark.parametrize("beta", [[1, 1], [5, 1], [6, 2], [1, 3], [2, 5]])
def test_released_mixture(beta):
    _, steps, share = sample(beta=beta)
    assert_follows(share, stats.beta(*beta))
    np.testing.assert_allclose(steps.weights[:, 0], 1 - share, atol=1e-6)
    chains = steps.weights[:, 1:] / steps.weights[:, 1:].sum(axis=1, keepdims=True)
    for column in chains.T:
        assert_follows(column, stats.beta(1, 2))
        assert_independent(column, share)


@pytest.mark.parametrize("width", [1, 3, 6])
def test_paper_mixes_the_clean_image_like_one_more_chain(width):
    _, steps, share = sample(sampler="paper", width=width)
    np.testing.assert_allclose(steps.weights[:, 0], 1 - share, atol=1e-6)
    np.testing.assert_allclose(steps.weights.sum(axis=1), 1, atol=1e-6)
    for column in steps.weights.T:
        assert_follows(column, stats.beta(1, width))


# Addresses


def test_every_stream_of_a_view_has_an_address_of_its_own():
    """Parameters and normals of two stages of a recipe; the words that the kernels read are those of `Draws`."""
    options, words = PrimeOptions.model_validate({"width": 3, "depth": 3}), []
    for position in (0, 1):
        read = []

        def record(key, indices, view, stage, count, draw=0, read=read):
            read.append(stage)
            return cpu.words(key, indices, view, stage, count, draw)

        draws = Draws(1, np.arange(2, dtype=np.uint32), 1).at(position=position)
        steps, _ = sample_steps(options, draws, 32, record)
        assert sorted(read) == sorted(
            [draws.at(purpose=MIXTURE).stage, *(draws.at(chain=m, purpose=CHAIN).stage for m in range(3))]
        )
        words += [*read, *(int(word) for word in steps.stages.ravel())]
        assert {word >> 24 for word in words[-13:]} == {position}
    assert len(set(words)) == len(words) == 2 * (1 + 3 + 9)

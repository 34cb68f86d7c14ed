"""Noise against its distribution: moments, shares, known counts."""

import numpy as np
import pytest
import scipy.stats

from passband.kernels import cpu
from passband.kernels.poisson import poisson_table
from passband.pipeline.augment.corruption import TABLES
from tests.pipeline.augment.corruption.pictures import corrupt, crops, flat

CASES = [(table, severity) for table in TABLES for severity in range(1, 6)]
every_severity = pytest.mark.parametrize(("table", "severity"), CASES)


@every_severity
def test_gaussian_noise_has_the_deviation_of_the_table(table, severity):
    (scale,) = TABLES[table]["gaussian_noise"][severity - 1]
    noise = corrupt(flat(20, 64, 0.5), "gaussian_noise", severity, table).astype(np.float64) - 0.5
    clipped = scipy.stats.norm(scale=scale)  # of what is clipped at 0 and 1
    expected = clipped.expect(lambda z: np.clip(z, -0.5, 0.5) ** 2, epsabs=1e-9) ** 0.5
    assert abs(noise.std() / expected - 1) < 5 / np.sqrt(2 * noise.size)
    assert abs(noise.mean()) < 5 * scale / np.sqrt(noise.size)
    assert abs(np.corrcoef(noise[:, 0].ravel(), noise[:, 1].ravel())[0, 1]) < 5 / np.sqrt(noise.size / 3)


@every_severity
@pytest.mark.parametrize("level", [0, 13, 128])
def test_shot_noise_is_poisson(table, severity, level):
    (rate,) = TABLES[table]["shot_noise"][severity - 1]
    words = np.random.default_rng(severity).integers(0, 2**32, (16, 3, 64, 64), np.uint32)
    result = cpu.shot_noise(flat(16, 64, level / 255), rate, words).astype(np.float64)
    counts = result * rate
    np.testing.assert_allclose(counts, np.rint(counts), atol=1e-4)
    mean = level / 255 * rate
    assert abs(counts.mean() - mean) <= 5 * np.sqrt(mean / counts.size)
    spread = np.sqrt((mean + 2 * mean**2) / counts.size)  # deviation of the variance: m4 - m2^2 = mean + 2 mean^2
    assert abs(counts.var() - mean) <= 5 * spread


@pytest.mark.parametrize("rate", [3, 60, 500, 1000.5])
def test_the_steps_of_shot_noise_are_the_poisson_distribution(rate):
    table = poisson_table(float(rate))
    for level in (0, 1, 7, 100, 255):
        start = int(table.starts[level])
        stop = int(table.starts[level + 1]) if level < 255 else len(table.steps)
        counts = table.least[level] + np.arange(stop - start)
        exact = scipy.stats.poisson.cdf(counts, level * rate / 255) * 2.0**32 - 0.5
        np.testing.assert_allclose(table.steps[start:stop], np.floor(exact).clip(0), atol=2)
        assert table.steps[stop - 1] == 2**32 - 1


def test_shot_noise_of_the_first_and_the_last_word():
    ends = np.array([0, 2**32 - 1], np.uint32).reshape(1, 1, 1, 2)
    result = cpu.shot_noise(np.ones((1, 1, 1, 2), np.float32), 3, ends) * 3
    distribution = scipy.stats.poisson(3)
    np.testing.assert_allclose(result.ravel(), [0, distribution.isf(0.5 / 2**32)])


def test_black_stays_black_under_shot_noise():
    assert not corrupt(flat(2, 32, 0.0), "shot_noise", 5).any()


def test_a_rate_that_has_no_table_is_refused():
    with pytest.raises(ValueError, match="rate 0.0: needs more than 0"):
        cpu.shot_noise(flat(1, 8, 0.5), 0, np.zeros((1, 3, 8, 8), np.uint32))


@every_severity
def test_impulses_strike_their_share_half_white_half_black(table, severity):
    (amount,) = TABLES[table]["impulse_noise"][severity - 1]
    clean = flat(20, 64, 0.5)
    result = corrupt(clean, "impulse_noise", severity, table)
    assert set(np.unique(result)) == {0, 0.5, 1}
    bound = 5 * np.sqrt(amount / clean.size)
    assert abs((result == 1).mean() - amount / 2) < bound
    assert abs((result == 0).mean() - amount / 2) < bound


def test_impulses_strike_the_words_below_the_share():
    words = np.array([0, 2**30 - 1, 2**30, 2**31 - 1, 2**31, 2**32 - 1], np.uint32).reshape(1, 1, 1, 6)
    result = cpu.impulse_noise(np.full((1, 1, 1, 6), 0.25, np.float32), 0.5, words)
    assert result.ravel().tolist() == [1, 1, 0, 0, 0.25, 0.25]


def test_noise_of_two_samples_is_independent():
    images = crops(1, 32).repeat(2, axis=0)
    for name in ("gaussian_noise", "shot_noise", "impulse_noise"):
        first, second = corrupt(images, name, 5) - images
        assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.15

import numpy as np
import pytest

from passband.jobs.evaluation.bootstrap import (
    Term,
    estimate_lowest,
    estimate_sum,
    generator,
    percentiles,
    resampled_means,
)
from passband.jobs.evaluation.spec import Bootstrap

BOOTSTRAP = Bootstrap(resamples=2000, confidence=0.9)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.3])
@pytest.mark.parametrize("samples", [1, 7])
def test_the_interval_of_a_constant_is_the_constant(value, samples):
    found = estimate_sum([Term(1.0, np.full(samples, value), "p")], BOOTSTRAP, generator(0, "x"))
    np.testing.assert_allclose([found.value, found.low, found.high], value, rtol=1e-12)


def test_counts_give_the_distribution_of_drawn_indices():
    scores = np.random.default_rng(0).choice([0.0, 0.25, 0.5, 1.0], 40, p=[0.4, 0.1, 0.2, 0.3])
    found = resampled_means(scores, 20_000, generator(0, "x"))
    plain = scores[np.random.default_rng(1).integers(40, size=(20_000, 40))].mean(axis=1)
    assert found.mean() == pytest.approx(scores.mean(), abs=5 * scores.std() / np.sqrt(40 * 20_000))
    assert found.std() == pytest.approx(scores.std() / np.sqrt(40), rel=0.03)
    quantiles = [0.025, 0.25, 0.5, 0.75, 0.975]
    np.testing.assert_allclose(np.quantile(found, quantiles), np.quantile(plain, quantiles), atol=0.0130)


def test_the_interval_of_a_share_is_that_of_the_binomial():
    correct = np.arange(400) < 100
    found = estimate_sum([Term(1.0, correct, "p")], Bootstrap(resamples=50_000, confidence=0.95), generator(3, "x"))
    half = 1.96 * np.sqrt(0.25 * 0.75 / 400)
    assert found.value == 0.25
    assert (found.low, found.high) == (pytest.approx(0.25 - half, abs=0.004), pytest.approx(0.25 + half, abs=0.004))


def test_samples_of_one_population_are_drawn_together():
    correct = np.arange(100) < 50
    opposite = [Term(0.5, correct, "same"), Term(0.5, ~correct, "same")]
    found = estimate_sum(opposite, BOOTSTRAP, generator(0, "x"))
    assert (found.value, found.low, found.high) == (0.5, 0.5, 0.5)  # what one view loses the other wins
    apart = [Term(0.5, correct, "one"), Term(0.5, ~correct, "other")]
    found = estimate_sum(apart, BOOTSTRAP, generator(0, "x"))
    assert found.high - found.low == pytest.approx(2 * 1.645 * 0.05 / np.sqrt(2), rel=0.1)


def test_the_lowest_of_groups():
    groups = [np.array([True] * 9 + [False]), np.array([True, False])]
    found = estimate_lowest(groups, BOOTSTRAP, generator(0, "x"))
    assert (found.value, found.low) == (0.5, 0.0)
    certain = estimate_lowest([np.ones(3, bool), np.zeros(2, bool)], BOOTSTRAP, generator(0, "x"))
    assert (certain.value, certain.low, certain.high) == (0.0, 0.0, 0.0)


def test_numbers_are_those_of_seed_and_name_alone():
    scores = np.random.default_rng(0).random(30)
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first, again = (resampled_means(scores, 50, generator(1, "a")) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    for seed, name in ((2, "a"), (1, "b")):
        assert (resampled_means(scores, 50, generator(seed, name)) != first).any()
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_many_distinct_scores_are_drawn_in_pieces(monkeypatch):
    scores = np.random.default_rng(0).random(50)
    monkeypatch.setattr("passband.jobs.evaluation.bootstrap._COUNTS_AT_ONCE", 120)
    found = resampled_means(scores, 7, generator(0, "x"))
    assert found.shape == (7,)
    assert found.mean() == pytest.approx(scores.mean(), abs=0.1)


def test_percentiles_hold_the_share_in_the_middle():
    assert percentiles(np.arange(101.0), 0.9) == (pytest.approx(5.0), pytest.approx(95.0))

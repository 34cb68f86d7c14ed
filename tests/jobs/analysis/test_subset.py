import numpy as np
import pytest

from passband.jobs.analysis.subset import Strata, choose, quotas
from passband.jobs.common.jobfile import JobError

LABELS = np.repeat(np.arange(4), [60, 40, 10, 3])
INDICES = np.random.default_rng(0).permutation(len(LABELS)).astype(np.uint32)


def chosen(count, key=7):
    return choose(LABELS, INDICES, key, count, 4)


@pytest.mark.parametrize(
    ("count", "expected"),
    [(4, [1, 1, 1, 1]), (6, [2, 2, 1, 1]), (12, [3, 3, 3, 3]), (30, [9, 9, 9, 3]), (113, [60, 40, 10, 3])],
)
def test_every_class_gives_equally_many_as_far_as_it_can(count, expected):
    assert quotas(np.bincount(LABELS), count).tolist() == expected
    found = chosen(count)
    assert np.bincount(LABELS[found.rows]).tolist() == expected
    assert len(np.unique(found.rows)) == count
    assert (np.diff(found.rows) > 0).all()


def test_a_smaller_subset_is_part_of_a_larger_one_and_the_seed_decides():
    assert set(chosen(12).rows) < set(chosen(30).rows)
    assert chosen(30).rows.tolist() == chosen(30).rows.tolist()
    assert chosen(30, key=8).rows.tolist() != chosen(30).rows.tolist()


def test_without_a_subset_all_are_looked_at():
    found = chosen(None)
    assert found.rows.tolist() == list(range(113))
    assert found.strata.weights.tolist() == [1, 1, 1, 1]
    assert found.strata.standard_error(np.arange(113), LABELS) == 0


def test_impossible_subsets_are_refused():
    with pytest.raises(JobError, match="subset is 114: the source has 113 images"):
        chosen(114)
    with pytest.raises(JobError, match="subset is 3: the source has 4 classes"):
        chosen(3)


def test_standard_error_by_hand():
    strata = Strata(sizes=np.array([10, 30]), taken=np.array([2, 3]))
    values, labels = np.array([0.0, 1.0, 0.0, 0.0, 3.0]), np.array([0, 0, 1, 1, 1])
    variance = 0.25**2 * (1 - 2 / 10) * 0.5 / 2 + 0.75**2 * (1 - 3 / 30) * 3.0 / 3
    assert strata.standard_error(values, labels) == pytest.approx(variance**0.5)


def test_one_image_of_a_class_shows_no_variance_unless_it_is_all_of_it():
    values, labels = np.array([1.0, 0.0, 1.0]), np.array([0, 1, 1])
    assert Strata(np.array([5, 2]), np.array([1, 2])).standard_error(values, labels) is None
    assert Strata(np.array([1, 2]), np.array([1, 2])).standard_error(values, labels) == 0


def test_standard_error_is_the_spread_of_estimates_over_subsets():
    values = np.random.default_rng(3).random(113) + 0.3 * LABELS
    estimates, errors = [], []
    for key in range(1500):
        found = chosen(30, key)
        own = LABELS[found.rows]
        estimates.append((values[found.rows] * found.strata.weights[own]).sum() / 113)
        errors.append(found.strata.standard_error(values[found.rows], own))
    assert np.mean(estimates) == pytest.approx(values.mean(), abs=4 * np.std(estimates) / 1500**0.5)
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(estimates), rel=0.08)

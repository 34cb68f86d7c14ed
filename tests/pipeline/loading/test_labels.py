"""Labels that change places by a seed."""

import numpy as np
import pytest

from passband.pipeline.errors import PassbandError
from passband.pipeline.loading import open_stream
from passband.pipeline.loading.labels import shuffled

INDICES = np.array([3, 0, 5, 1])
LABELS = np.array([30, 0, 50, 10])
KNOWN = [7, 2, 5, 6, 1, 0, 4, 3]


def by_index(labels, indices):
    return dict(zip(indices.tolist(), labels.tolist(), strict=True))


def test_labels_are_permuted_and_follow_the_plan_not_the_storage():
    found = shuffled(LABELS, INDICES, 0)
    assert sorted(found) == sorted(LABELS)
    turned = shuffled(LABELS[::-1], INDICES[::-1], 0)
    assert by_index(found, INDICES) == by_index(turned, INDICES[::-1])
    assert len(shuffled(LABELS[:0], INDICES[:0], 0)) == 0


def test_the_permutation_is_the_same_for_ever():
    order = np.arange(8)
    assert shuffled(order, order, 0).tolist() == KNOWN
    assert shuffled(order, order, 1).tolist() != KNOWN


def test_every_place_is_as_likely():
    order = np.arange(5)
    counts = sum(np.eye(5)[shuffled(order, order, seed)] for seed in range(2000))
    assert np.abs(counts - 400).max() < 5 * np.sqrt(2000 * 0.2 * 0.8)


def test_a_stream_hands_out_shuffled_labels_and_the_same_order(make):
    made = make()
    with (
        open_stream(made.path, batch_size=50, seed=1) as plain,
        open_stream(made.path, batch_size=50, seed=1, shuffle_labels=4) as other,
    ):
        expected = by_index(shuffled(plain.labels, plain.indices, 4), plain.indices)
        assert (plain.labels != other.labels).mean() > 0.8
        assert np.array_equal(np.bincount(plain.labels), np.bincount(other.labels))
        for one, two in zip(plain, other, strict=True):
            assert one.indices.equal(two.indices)
            assert [expected[index] for index in two.indices.tolist()] == two.labels.tolist()
        with other.in_stored_order() as stored:
            assert np.array_equal(stored.labels, other.labels)


@pytest.mark.parametrize("seed", [-1, 0.5, True, "1"])
def test_another_seed_is_refused(make, seed):
    with pytest.raises(PassbandError, match="shuffle_labels"):
        open_stream(make().path, batch_size=5, shuffle_labels=seed)

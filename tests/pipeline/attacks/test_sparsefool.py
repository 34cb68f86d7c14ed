"""SparseFool: equal to the plain way, within its bounds, sparse, and towards a target."""

import numpy as np
import pytest
import torch

from passband.kernels import cpu
from passband.pipeline.attacks.deepfool import DeepFool
from passband.pipeline.attacks.sparsefool import SparseFool
from tests.pipeline.attacks import plain
from tests.pipeline.attacks.conftest import linear_surrogate


def whole_range(images):
    return np.zeros_like(images), np.ones_like(images)


@pytest.mark.parametrize("past", [1.0, 3.0])
def test_the_batched_way_is_the_plain_one(lenet, network, some_digits, past):
    images = some_digits[:9]
    found = SparseFool(DeepFool(lenet, cpu), past).run(images, *whole_range(images))
    for row, image in enumerate(torch.from_numpy(images)):
        result, rounds = plain.sparsefool(network, image, torch.zeros_like(image), torch.ones_like(image), past=past)
        assert found.rounds[row] == rounds
        np.testing.assert_allclose(found.images[row], result, atol=2e-3)
    assert found.reached.all()


def test_few_pixels_change_and_the_prediction_does(lenet, some_digits):
    found = SparseFool(DeepFool(lenet, cpu)).run(some_digits, *whole_range(some_digits))
    assert found.reached.all()
    changed = (found.images != some_digits).any(axis=1).mean(axis=(1, 2))
    dense = (DeepFool(lenet, cpu).run(some_digits).perturbations != 0).any(axis=1).mean(axis=(1, 2))
    assert np.median(changed) < 0.2
    assert np.median(dense) > 0.8
    now = np.concatenate([lenet.predict(found.images[start : start + 8]) for start in range(0, 21, 8)])
    np.testing.assert_array_equal(now, found.predictions)
    assert (now != found.own).all()
    assert (found.steps >= found.rounds).all()


def test_bounds_hold(lenet, some_digits):
    low, high = np.maximum(some_digits - np.float32(0.1), 0), np.minimum(some_digits + np.float32(0.1), 1)
    found = SparseFool(DeepFool(lenet, cpu)).run(some_digits, low, high)
    assert ((low <= found.images) & (found.images <= high)).all()
    free = SparseFool(DeepFool(lenet, cpu)).run(some_digits, *whole_range(some_digits))
    both = found.reached & free.reached
    changed = [(run.images != some_digits).any(axis=1)[both].sum() for run in (found, free)]
    assert changed[0] > changed[1]


def test_towards_a_target(lenet, some_digits):
    targets = np.arange(len(some_digits)) % 10
    found = SparseFool(DeepFool(lenet, cpu)).run(some_digits, *whole_range(some_digits), targets)
    assert found.reached.mean() > 0.9
    np.testing.assert_array_equal(found.predictions[found.reached], targets[found.reached])
    already = found.own == targets
    np.testing.assert_array_equal(found.images[already], some_digits[already])
    assert not found.rounds[already].any()


def test_of_a_linear_classifier_one_round_is_the_optimum():
    surrogate, weight, bias = linear_surrogate(2)
    images = np.random.default_rng(3).random((9, 1, 4, 5), np.float32)
    found = SparseFool(DeepFool(surrogate, cpu), past=1.0, beyond=0.0, overshoot=0.02).run(images, *whole_range(images))
    normal, offset = weight[1] - weight[0], bias[1] - bias[0]
    for image, result, rounds in zip(images, found.images, found.rounds, strict=True):
        assert rounds <= 2  # to the boundary, and where the overshoot was clipped, once more
        moved = np.flatnonzero((result - image).ravel())
        sizes = np.argsort(-abs(normal), kind="stable")
        assert set(moved) == set(sizes[: len(moved)])
        side = normal @ image.ravel() + offset
        assert side * (normal @ result.ravel() + offset) < 0


def test_no_rounds_and_no_samples(lenet, some_digits):
    attack = SparseFool(DeepFool(lenet, cpu), rounds=0)
    np.testing.assert_array_equal(attack.run(some_digits, *whole_range(some_digits)).images, some_digits)
    none = some_digits[:0]
    assert SparseFool(DeepFool(lenet, cpu)).run(none, *whole_range(none)).images.shape == (0, 3, 16, 16)

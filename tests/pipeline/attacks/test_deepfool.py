"""DeepFool: exact on linear classifiers, equal to the plain way on a network, in subspaces and towards a target."""

import numpy as np
import pytest
import torch

from passband.kernels import cpu
from passband.pipeline.attacks.deepfool import DeepFool
from passband.pipeline.attacks.subspaces import Spans, Within
from tests.pipeline.attacks import plain
from tests.pipeline.attacks.conftest import linear_surrogate


def points(count, shape=(1, 4, 5)):
    return np.random.default_rng(1).standard_normal((count, *shape)).astype(np.float32)


def flat(array):
    return array.reshape(len(array), -1).astype(float)


def margins(weight, bias, images, basis=None):
    """Return the distance of each point to the nearest boundary of a linear classifier, in the span of `basis`."""
    logits = flat(images) @ weight.T + bias
    found = []
    for row, own in zip(logits, logits.argmax(1), strict=True):
        normals = np.delete(weight - weight[own], own, 0)
        lengths = np.linalg.norm(normals if basis is None else normals @ basis.T, axis=1)
        found.append(np.min((row[own] - np.delete(row, own)) / lengths))
    return np.array(found)


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_of_a_linear_classifier_one_step_is_exact(classes):
    surrogate, weight, bias = linear_surrogate(classes)
    images = points(19)
    found = DeepFool(surrogate, cpu).run(images)
    assert found.reached.all()
    assert (found.steps == 1).all()
    np.testing.assert_array_equal(found.own, (flat(images) @ weight.T + bias).argmax(1))
    np.testing.assert_allclose(
        np.linalg.norm(flat(found.perturbations), axis=1), margins(weight, bias, images), rtol=1e-4
    )
    assert (found.predictions != found.own).all()


def test_in_a_subspace_one_step_is_exact_as_well():
    surrogate, weight, bias = linear_surrogate(2)
    basis = np.linalg.qr(np.random.default_rng(2).standard_normal((20, 3)))[0].T
    images = points(9)
    within = Within(Spans(images.shape[1:], [basis.astype(np.float32)]), np.zeros(9, int))
    found = DeepFool(surrogate, cpu, within=within).run(images)
    assert found.reached.all()
    moved = flat(found.perturbations)
    np.testing.assert_allclose(np.linalg.norm(moved, axis=1), margins(weight, bias, images, basis), rtol=1e-4)
    np.testing.assert_allclose(moved @ basis.T @ basis, moved, atol=1e-4)


def test_what_no_step_can_move_is_stuck():
    weight = np.zeros((2, 20))
    weight[:, 0] = 1, -1
    surrogate, *_ = linear_surrogate(2, weight=weight)

    images = points(5)
    without_first = Within(Spans(images.shape[1:], [np.eye(20, dtype=np.float32)[1:]]), np.zeros(5, int))
    found = DeepFool(surrogate, cpu, within=without_first).run(images)
    assert found.stuck.all()
    assert not found.reached.any()
    assert (found.steps == 0).all()
    assert not found.perturbations.any()


def test_steps_end(lenet, some_digits):
    found = DeepFool(lenet, cpu, steps=1).run(some_digits)
    assert (found.steps == 1).all()
    assert 0 < found.reached.sum() < len(some_digits)
    assert not DeepFool(lenet, cpu, steps=0).run(some_digits).perturbations.any()


@pytest.mark.parametrize("classes", [10, 3])
def test_the_batched_way_is_the_plain_one(lenet, network, some_digits, classes):
    found = DeepFool(lenet, cpu, classes=classes).run(some_digits)
    ways = [plain.deepfool(network, torch.from_numpy(image), classes=classes) for image in some_digits]
    np.testing.assert_array_equal(found.steps, [steps for _, steps in ways])
    np.testing.assert_allclose(found.perturbations, np.stack([r.numpy() for r, _ in ways]), atol=2e-4)
    assert found.reached.all()


def test_towards_a_target(lenet, network, some_digits):
    targets = np.arange(len(some_digits)) % 10
    found = DeepFool(lenet, cpu).run(some_digits, targets)
    assert found.reached.all()
    np.testing.assert_array_equal(
        lenet.predict(some_digits[:8] + np.float32(1.02) * found.perturbations[:8]), targets[:8]
    )
    already = found.own == targets
    assert already.any()
    assert not found.perturbations[already].any()
    for row in range(0, len(some_digits), 4):
        r, steps = plain.deepfool(network, torch.from_numpy(some_digits[row]), target=int(targets[row]))
        assert found.steps[row] == steps
        np.testing.assert_allclose(found.perturbations[row], r, atol=1e-3)


@pytest.mark.parametrize("alpha", [1.0, 0.25])
def test_within_bounds(lenet, some_digits, alpha):
    low, high = (some_digits - alpha).clip(0, 1), (some_digits + alpha).clip(0, 1)
    attack = DeepFool(lenet, cpu)
    found = attack.run(some_digits, bounds=(low, high))
    free = attack.run(some_digits)
    moved = some_digits + found.perturbations
    assert ((low - 1e-6 <= moved) & (moved <= high + 1e-6)).all()
    assert found.reached.mean() > 0.9
    judged = (some_digits + np.float32(1.02) * found.perturbations).clip(low, high)
    assert (lenet.predict(judged[:8]) != found.own[:8])[found.reached[:8]].all()
    clipped = (some_digits + np.float32(1.02) * free.perturbations).clip(low, high)
    assert (lenet.predict(clipped[:8]) != free.own[:8]).mean() < 0.5  # what the bounds are for
    longer = [np.linalg.norm(flat(run.perturbations), axis=1) for run in (found, free)]
    assert (longer[0] > longer[1])[found.reached].mean() > 0.9


def test_bounds_that_are_never_met_change_nothing(lenet, some_digits):
    wide = np.full_like(some_digits, -9), np.full_like(some_digits, 9)
    attack = DeepFool(lenet, cpu)
    found, free = attack.run(some_digits, bounds=wide), attack.run(some_digits)
    np.testing.assert_allclose(found.perturbations, free.perturbations, atol=1e-6)
    np.testing.assert_array_equal(found.steps, free.steps)


def test_no_room_is_stuck(lenet, some_digits):
    found = DeepFool(lenet, cpu).run(some_digits, bounds=(some_digits, some_digits))
    assert found.stuck.all()


def test_a_sample_comes_out_the_same_in_any_company(lenet, some_digits):
    whole = DeepFool(lenet, cpu).run(some_digits)
    for rows in ([3], [20, 1, 7], range(5, 18)):
        part = DeepFool(lenet, cpu).run(some_digits[list(rows)])
        np.testing.assert_array_equal(part.perturbations, whole.perturbations[list(rows)])
        np.testing.assert_array_equal(part.steps, whole.steps[list(rows)])


def test_no_samples(lenet, some_digits):
    found = DeepFool(lenet, cpu).run(some_digits[:0])
    assert found.perturbations.shape == (0, 3, 16, 16)
    assert found.reached.shape == (0,)

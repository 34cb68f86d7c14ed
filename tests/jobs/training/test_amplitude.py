"""SADA's attack in the training loop against Algorithm 1 on half spectra in float64, and what it may not do."""

import numpy as np
import pytest
import torch

from passband.jobs.training.amplitude import AmplitudeAttack
from passband.jobs.training.log import read_metrics
from passband.jobs.training.run import train
from passband.kernels import reference
from tests.jobs.training.test_run import StopAfter, assert_same_training

SHAPE = (6, 2, 7, 6)


def drawn(low, high, *shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0)) * (high - low) + low


@pytest.fixture
def images():
    return drawn(0.4, 0.6, *SHAPE)


def linear(classes=3):
    weights = torch.randn(classes, int(np.prod(SHAPE[1:])), generator=torch.Generator().manual_seed(1))
    return weights, lambda images: images.flatten(1) @ weights.T


def test_steps_are_those_of_algorithm_1(images):
    weights, logits = linear()
    labels = logits(images).argmax(1)
    found, taken = AmplitudeAttack(3, 0.004)(logits, images, labels, torch.zeros(SHAPE))
    expected, steps = images.double().numpy(), np.zeros(len(images), int)
    ones = np.ones((7, 6 // 2 + 1))
    for row, label in enumerate(labels.tolist()):
        amplitude, phase = reference.amplitude_phase(images[row : row + 1].numpy())
        for _ in range(3):
            now = reference.from_amplitude_phase(amplitude, phase, 6)
            scores = weights.double().numpy() @ now.ravel()
            if scores.argmax() != label:
                break
            shares = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
            by_image = ((shares - np.eye(3)[label]) @ weights.double().numpy()).reshape(now.shape)
            gradient = reference.amplitude_gradient(by_image, phase)
            amplitude = reference.amplitude_step(amplitude, gradient, ones, 0.004)
            steps[row] += 1
        expected[row] = reference.from_amplitude_phase(amplitude, phase, 6)[0]
    assert taken.tolist() == steps.tolist()
    assert steps.max() == 3
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-5)


def test_samples_that_are_wrong_take_no_step_and_the_others_lose(images):
    _, logits = linear()
    right = logits(images).argmax(1)
    labels = torch.where(torch.arange(len(images)) < 3, right, (right + 1) % 3)
    found, taken = AmplitudeAttack(5, 0.02)(logits, images, labels, torch.zeros(SHAPE))
    assert taken[:3].min() > 0
    assert taken[3:].tolist() == [0, 0, 0]
    torch.testing.assert_close(found[3:], images[3:], atol=1e-6, rtol=0)
    losses = [torch.nn.functional.cross_entropy(logits(x), labels, reduction="none") for x in (images, found)]
    assert (losses[1] > losses[0])[:3].all()


def test_the_start_is_the_noise_and_the_phase_stays(images):
    _, logits = linear()
    noise = drawn(-0.2, 0.2, *SHAPE)
    found, taken = AmplitudeAttack(0, 0.08)(logits, images, torch.zeros(6, dtype=torch.int64), noise)
    mirrored = torch.roll(noise.flip(2, 3), (1, 1), (2, 3))
    expected = torch.fft.ifft2(torch.fft.fft2(images) * (1 + (noise + mirrored) / 2)).real.clamp(0, 1)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    assert taken.sum() == 0


def test_a_training_attacks_its_own_network_and_goes_on(train_job, tmp_path):
    jsd = {"kind": "jsd", "weight": 0.25, "attack": {"copies": 1, "steps": 2}}
    changes = {"data": {"views": ["clean"]}, "objective": jsd}
    train(train_job(tmp_path / "whole", **changes))
    with pytest.raises(SystemExit):
        train(train_job(**changes), stopped=StopAfter(4))
    train(train_job(**changes))
    assert_same_training(tmp_path / "out", tmp_path / "whole")
    taken = [entry["attack_steps"] for entry in read_metrics(tmp_path / "whole") if "attack_steps" in entry]
    assert len(taken) == 14
    assert max(taken) > taken[0]  # an untrained network errs at once
    assert all(0 <= value <= 2 for value in taken)


def test_an_absent_attack_counts_for_nothing(train_job):
    plain = train_job(objective={"kind": "jsd"})
    assert plain.model_dump()["objective"] == {"kind": "jsd", "weight": 12.0}
    assert plain.identity("0") != train_job(objective={"kind": "jsd", "attack": {}}).identity("0")


def test_a_process_without_samples_has_nothing_to_attack():
    _, logits = linear()
    images, labels = torch.empty(0, *SHAPE[1:]), torch.empty(0, dtype=torch.int64)
    found, taken = AmplitudeAttack(3, 0.1)(logits, images, labels, torch.empty_like(images))
    assert found.shape == images.shape
    assert len(taken) == 0

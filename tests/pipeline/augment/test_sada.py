"""SADA against Algorithm 1 in float64 on the full spectrum, on a network that was trained; and what it must hold."""

import numpy as np
import pytest
import torch

from passband.kernels import backend, reference
from passband.pipeline.augment import Draws
from passband.pipeline.augment.sada import Sada
from passband.pipeline.augment.sada.options import SadaOptions
from passband.pipeline.networks.network import read_network
from tests.pipeline.augment.test_contract import sensitivity_map, symmetric_map
from tests.pipeline.trained import CLASSES, SHAPE, digits, trained_lenet

CPU = backend("cpu")
KEY = 99


@pytest.fixture(scope="module")
def checkpoint():
    return trained_lenet()


@pytest.fixture(scope="module")
def test_digits():
    images, labels = digits("test")
    return images, labels, Draws(KEY, np.arange(len(labels), dtype=np.uint32), 1).at(position=1)


def stage(checkpoint, **options):
    given = {"surrogate": {"network": "lenet", "checkpoint": "model.pt", "batch": 32}, "map": "map.npz"} | options
    resolved = SadaOptions.model_validate(given)
    inputs = {"surrogate": checkpoint, "map": sensitivity_map(SHAPE)}
    inputs = {role: inputs[role] for role in Sada.inputs(resolved)}
    return Sada(resolved, shape=SHAPE, kernels=CPU, inputs=inputs, classes=CLASSES)


def full_grid(half, width):
    """Return a symmetric half spectrum's values on the full grid."""
    height = half.shape[-2]
    columns = np.arange(width)
    inside = half[..., np.minimum(columns, width - columns)]
    mirrored = inside[..., -np.arange(height) % height, :]
    return np.where(columns <= width // 2, inside, mirrored)


def algorithm_1(made, network, images, labels, draws):
    """Return images and steps by the paper's own route: full complex spectrum, autograd through the FFT, float64."""
    options = made.options
    spectrum = torch.fft.fft2(torch.from_numpy(images.astype(np.float64)))
    at = made.noise_draws(draws)
    words = CPU.words(at.key, at.indices, at.view, at.stage, images[0].size).reshape(images.shape)
    uniform = options.init * (2 * ((words + 0.5) / 2**32) - 1)
    amplitude, phase = spectrum.abs() * torch.from_numpy(1 + uniform), spectrum.angle()
    weight = torch.from_numpy(full_grid(made.weight.astype(np.float64), images.shape[3]))
    steps, alive = np.full(len(images), options.steps), np.ones(len(images), bool)
    result = torch.zeros(images.shape, dtype=torch.float64)
    target = torch.from_numpy(labels)
    for step in range(options.steps + 1):
        amplitude = amplitude.detach().requires_grad_()
        rebuilt = torch.fft.ifft2(torch.polar(amplitude, phase)).real.clamp(0, 1)
        logits = network(rebuilt)
        result[alive] = rebuilt.detach()[alive]
        turned = alive & (logits.argmax(1).numpy() != labels)
        steps[turned] = step
        alive &= ~turned
        loss = torch.nn.functional.cross_entropy(logits, target, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, amplitude)
        amplitude = (amplitude * (1 + options.step_size * gradient.sign() * weight)).clamp(min=0)
    return result.numpy(), steps


def test_it_is_algorithm_1(checkpoint, test_digits):
    """A bin whose gradient is within rounding of zero turns between routes (METHODS 3.3), so a share must agree.

    On textured images: a flat black ground makes ties in the pooling, where rounding chooses the gradient's way.
    """
    images, labels, draws = test_digits
    texture = np.random.default_rng(0).random(images.shape, dtype=np.float32)
    images = np.float32(0.7) * images + np.float32(0.3) * texture
    made = stage(checkpoint)
    result = made.apply(images, labels, draws)
    network = read_network(checkpoint, "model.pt").double()
    expected, steps = algorithm_1(made, network, images, labels, draws)
    near = np.abs(result.images - expected).max(axis=(1, 2, 3)) <= 1e-4
    assert near.mean() >= 0.98
    assert (result.recorded["steps"] == steps).mean() >= 0.99
    assert len(set(steps)) == 6
    assert near[steps == 0].all()  # no gradient, no sign


def test_losses_rise_and_beat_random_signs(checkpoint, test_digits):
    targeted, random = (stage(checkpoint, targeted=way).apply(*test_digits).recorded for way in (True, False))
    assert (targeted["loss_after"] >= targeted["loss_before"]).mean() >= 0.95
    assert targeted["loss_after"].mean() > 3 * random["loss_after"].mean()
    assert targeted["changed"].mean() > random["changed"].mean() + 0.1


def test_what_is_recorded_is_that_of_the_stored_image(checkpoint, test_digits):
    images, labels, draws = test_digits
    result = stage(checkpoint).apply(images, labels, draws)
    network = read_network(checkpoint, "model.pt")
    stored = CPU.to_float(CPU.to_uint8(result.images))
    with torch.inference_mode():
        before, after = (network(torch.from_numpy(batch)) for batch in (images, stored))
        losses = torch.nn.functional.cross_entropy(after, torch.from_numpy(labels), reduction="none")
    np.testing.assert_allclose(result.recorded["loss_after"], losses, rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(result.recorded["changed"], (before.argmax(1) != after.argmax(1)).numpy())
    distances = np.linalg.norm((stored - images).reshape(len(images), -1).astype(np.float64), axis=1)
    np.testing.assert_allclose(result.recorded["distance"], distances, rtol=1e-5)


def test_phases_are_kept_where_the_clamp_did_not_act(checkpoint, test_digits):
    images, labels, draws = test_digits
    gray = np.ascontiguousarray(0.4 + 0.2 * images)  # far from 0 and 1
    result = stage(checkpoint, steps=2, stop="changed").apply(gray, labels, draws)
    inside = ((result.images > 0) & (result.images < 1)).all(axis=(1, 2, 3))
    assert inside.mean() > 0.9
    amplitude, phase = reference.amplitude_phase(gray[inside])
    _, kept = reference.amplitude_phase(result.images[inside])
    clear = amplitude > 0.05
    turned = np.abs(np.angle(np.exp(1j * (kept - phase))))
    assert clear.mean() > 0.3
    assert turned[clear].max() < 1e-3


def test_when_a_sample_is_done(checkpoint, test_digits):
    images, labels, draws = test_digits
    result = stage(checkpoint).apply(images, labels, draws)
    network = read_network(checkpoint, "model.pt")
    with torch.inference_mode():
        fooled = (network(torch.from_numpy(result.images)).argmax(1) != torch.from_numpy(labels)).numpy()
    assert fooled[result.recorded["steps"] < 5].all()
    wrong = (labels + 1) % 10  # never predicted, so every sample is done as it begins
    assert (stage(checkpoint).apply(images, wrong, draws).recorded["steps"] == 0).mean() > 0.9
    assert (stage(checkpoint, stop="changed").apply(images, wrong, draws).recorded["steps"] > 0).mean() > 0.9


def test_with_own_labels_the_prediction_on_the_clean_image_is_the_label(checkpoint, test_digits):
    images, labels, draws = test_digits
    images, draws = images[:80], draws.select(np.arange(80))
    surrogate = {"network": "lenet", "checkpoint": "model.pt", "batch": 32}
    predicted = stage(checkpoint).surrogate
    predictions = np.concatenate([predicted.predict(images[n : n + 32]) for n in range(0, 80, 32)])
    assert (predictions != labels[:80]).any()
    wanted = stage(checkpoint).apply(images, predictions, draws)
    for given in (labels[:80], labels[:80] * 0 + 500):  # what the data says does not matter
        found = stage(checkpoint, surrogate=surrogate | {"labels": "own"}).apply(images, given, draws)
        np.testing.assert_array_equal(found.images, wanted.images)
        for name, value in wanted.recorded.items():
            np.testing.assert_array_equal(found.recorded[name], value, err_msg=name)


def test_the_random_start_alone(checkpoint, test_digits):
    images, labels, draws = test_digits
    made = stage(checkpoint, random_only=True, map="none")
    assert made.inputs(made.options).keys() == {"surrogate"}
    result = made.apply(images, labels, draws)
    at = made.noise_draws(draws)
    words = CPU.words(at.key, at.indices, at.view, at.stage, images[0].size).reshape(images.shape)
    spectra = np.fft.fft2(images.astype(np.float64)) * (1 + 0.2 * (2 * ((words + 0.5) / 2**32) - 1))
    np.testing.assert_allclose(result.images, np.fft.ifft2(spectra).real.clip(0, 1), atol=1e-6)
    assert (result.recorded["steps"] == 0).all()


def test_without_start_and_steps_nothing_changes(checkpoint, test_digits):
    images, labels, draws = test_digits
    result = stage(checkpoint, steps=0, init=0.0).apply(images, labels, draws)
    np.testing.assert_array_equal(CPU.to_uint8(result.images), CPU.to_uint8(images))
    assert (result.recorded["distance"] == 0).all()
    assert not result.recorded["changed"].any()


def test_the_weight_is_the_map_in_fft_layout(checkpoint):
    one_plus, alone = stage(checkpoint).weight, stage(checkpoint, weight="map").weight
    np.testing.assert_allclose(one_plus, 1 + alone, rtol=1e-6)
    centered = symmetric_map(16, 16)
    assert alone[0, 0] == np.float32(centered[8, 8])
    assert alone[3, 2] == np.float32(centered[11, 10])
    assert (stage(checkpoint, map="none").weight == 1).all()


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_only_the_surrogates_batch_may_move_a_bit(checkpoint, test_digits, batch):
    """It is part of the identity; any other split gives the same bits."""
    images, labels, draws = test_digits
    surrogate = {"network": "lenet", "checkpoint": "model.pt", "batch": batch}
    made = stage(checkpoint, surrogate=surrogate)
    whole = made.apply(images[:70], labels[:70], draws.select(np.arange(70)))
    for rows in (np.arange(40, 70), np.arange(70)[::-3]):
        part = made.apply(images[rows], labels[rows], draws.select(rows))
        np.testing.assert_array_equal(part.images, whole.images[rows])


def test_done_samples_cost_nothing_more(checkpoint, test_digits, monkeypatch):
    images, labels, draws = test_digits
    made = stage(checkpoint)
    calls = []
    attack = made.surrogate.attack
    monkeypatch.setattr(made.surrogate, "attack", lambda *given: calls.append(len(given[0])) or attack(*given))
    steps = made.apply(images, labels, draws).recorded["steps"]
    assert sum(calls) == np.minimum(steps + 1, 5).sum()
    assert len(calls) <= -(-sum(calls) // 32) + 2 + 5  # full chunks, but for the last few


def test_a_failure_of_one_thread_ends_the_others(checkpoint, test_digits, monkeypatch):
    images, labels, draws = test_digits
    made = stage(checkpoint)
    calls = []

    def fail_once(*given):
        calls.append(given)
        if len(calls) == 2:
            raise ArithmeticError("out of luck")
        return np.zeros(len(given[0]), np.int64), np.zeros_like(given[0])

    monkeypatch.setattr(made.surrogate, "attack", fail_once)
    with pytest.raises(ArithmeticError, match="out of luck"):
        made.apply(images, labels, draws)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"map": "map.png"}, "map is 'map.png'; allowed: enhanced, original, none"),
        ({"map": "none", "weight": "map"}, "weight map needs a map"),
        ({"map": "map.npz", "random_only": True}, "random_only takes no step, so it uses no map"),
        ({"map": "none", "map_name": "x"}, "map_name chooses an array of a file"),
        ({"surrogate": {"network": "vgg", "checkpoint": "x"}}, "network is 'vgg'; allowed: convnet"),
        (
            {"surrogate": {"network": "lenet", "checkpoint": "x", "mean": [0.5] * 3}},
            "mean and std come with the checkpoint",
        ),
        ({"steps": 255}, "less than or equal to 254"),
    ],
)
def test_options_that_make_no_sense_are_refused(given, message):
    surrogate = {"network": "lenet", "checkpoint": "model.pt"}
    with pytest.raises(ValueError, match=message):
        SadaOptions.model_validate({"surrogate": surrogate} | given)

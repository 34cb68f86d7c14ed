"""Surrogates: ours and torchvision's, loaded from content, refused by name, and seen in chunks of one shape."""

import io

import numpy as np
import pytest
import torch
from torchvision.models import squeezenet1_1

from passband.pipeline.networks.network import NetworkError, NetworkSpec, build_network, network_bytes
from passband.pipeline.networks.pretrained import IMAGENET
from passband.pipeline.surrogate.loading import load_surrogate
from passband.pipeline.surrogate.model import judge_all
from passband.pipeline.surrogate.options import SurrogateOptions

CLASSES = [str(digit) for digit in range(10)]
SHAPE = (3, 32, 32)


def saved(value):
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


@pytest.fixture(scope="module")
def squeezenet():
    """A network without batch norms whose weights are drawn from a generator of its own."""
    with torch.device("meta"):
        network = squeezenet1_1(weights=None, num_classes=10).eval()
    network.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    return network


def options(network="torchvision/squeezenet1_1", **given):
    return SurrogateOptions.model_validate({"network": network, "checkpoint": "net.pt", "batch": 8, **given})


def load(content, given, classes=CLASSES, shape=SHAPE):
    return load_surrogate(content, given, classes=classes, shape=shape)


def some_images(count=5):
    return np.random.default_rng(0).random((count, *SHAPE), dtype=np.float32)


@pytest.mark.parametrize("given", [{}, {"mean": [0.1, 0.2, 0.3], "std": [0.5, 0.6, 0.7]}], ids=str)
def test_a_state_dict_of_torchvision(squeezenet, given):
    surrogate = load(saved(squeezenet.state_dict()), options(**given))
    images, labels = some_images(), np.arange(5)
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (given.values() if given else IMAGENET))
    with torch.inference_mode():
        logits = squeezenet((torch.from_numpy(images) - mean) / std)
    losses = torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels), reduction="none")
    found = surrogate.judge(images, labels)
    np.testing.assert_array_equal(found.predictions, logits.argmax(1))
    np.testing.assert_allclose(found.losses, losses, rtol=1e-4)


def test_the_gradient_is_each_images_own_through_the_clamp(squeezenet):
    surrogate = load(saved(squeezenet.state_dict()), options())
    images = some_images() * 2 - np.float32(0.5)
    labels = np.arange(5)
    predictions, gradient = surrogate.attack(images.copy(), labels)
    alone = [surrogate.attack(images[n : n + 1].copy(), labels[n : n + 1])[1] for n in range(5)]
    np.testing.assert_array_equal(gradient, np.concatenate(alone))
    assert (gradient[(images < 0) | (images > 1)] == 0).all()
    assert np.abs(gradient).max() > 0
    np.testing.assert_array_equal(predictions, surrogate.predict(images.clip(0, 1)))


def test_any_number_of_images_is_judged(squeezenet):
    surrogate = load(saved(squeezenet.state_dict()), options())
    images, labels = some_images(19), np.arange(19) % 10

    def spread(work, count, rows):
        for start in range(0, count, rows):
            work(start, min(start + rows, count))

    found = judge_all(surrogate, images, labels, spread)
    for n in range(19):
        alone = surrogate.judge(images[n : n + 1], labels[n : n + 1])
        assert (found.predictions[n], found.losses[n]) == (alone.predictions[0], alone.losses[0])
    assert judge_all(surrogate, images[:0], labels[:0], spread).losses.shape == (0,)


@pytest.mark.parametrize("given", [{"channels_last": True}, {"precision": "bfloat16", "channels_last": True}], ids=str)
def test_other_modes_say_nearly_the_same(squeezenet, given):
    images, labels = some_images(8), np.arange(8)
    exact = load(saved(squeezenet.state_dict()), options()).judge(images, labels)
    near = load(saved(squeezenet.state_dict()), options(**given)).judge(images, labels)
    np.testing.assert_allclose(near.losses, exact.losses, rtol=0.1, atol=0.1)


def test_what_does_not_fit_is_refused_by_name(squeezenet):
    good = saved(squeezenet.state_dict())
    with pytest.raises(NetworkError, match="no state dict of torchvision/squeezenet1_1 for 9 classes: .*size mismatch"):
        load(good, options(), classes=CLASSES[:9])
    with pytest.raises(NetworkError, match="torchvision/nothing: torchvision has no classifier of that name"):
        load(good, options("torchvision/nothing"))
    with pytest.raises(NetworkError, match="torchvision has no classifier of that name"):
        load(good, options("torchvision/lraspp_mobilenet_v3_large"))
    with pytest.raises(NetworkError, match=r"takes no images of shape \[3, 8, 8\]"):
        load(good, options(), shape=(3, 8, 8))
    with pytest.raises(NetworkError, match="is not a checkpoint that can be read safely"):
        load(b"junk", options())
    with pytest.raises(NetworkError, match="is no state dict of torchvision/squeezenet1_1"):
        load(saved({1: torch.zeros(1)}), options())
    with pytest.raises(NetworkError, match="is not a checkpoint that can be read safely"):
        load(saved(squeezenet), options())  # a whole module is code, which is not loaded


def test_ours_is_told_by_name():
    spec = NetworkSpec(kind="lenet", shape=list(SHAPE), classes=CLASSES, mean=[0.5] * 3, std=[0.25] * 3)
    content = network_bytes(build_network(spec, 0))
    assert load(content, options("lenet")).shape == SHAPE
    with pytest.raises(NetworkError, match="net.pt: holds a lenet, surrogate.network is convnet"):
        load(content, options("convnet"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mean": [0.5] * 3}, "mean and std are given together"),
        ({"mean": [0.5] * 2, "std": [0.5] * 2}, "at least 3 items"),
        ({"mean": [0.5] * 3, "std": [0.5, 0.5, 0.0]}, "allowed: above 0"),
        ({"mean": [float("nan")] * 3, "std": [0.5] * 3}, "finite"),
        ({"batch": 0}, "greater than or equal to 1"),
    ],
)
def test_options_that_make_no_sense_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        options(**given)


def test_on_a_gpu_convolutions_are_cudnns_in_full_precision(squeezenet):
    """Its `flags` turn cuDNN off where they are not told otherwise."""
    surrogate = load(saved(squeezenet.state_dict()), options())
    surrogate.device = torch.device("cuda")
    with surrogate.calling():
        flags = torch.backends.cudnn
        assert (flags.enabled, flags.benchmark, flags.deterministic, flags.allow_tf32) == (True, False, True, False)


def test_weights_that_are_not_finite_are_refused(squeezenet):
    state = {name: value.clone() for name, value in squeezenet.state_dict().items()}
    state["features.0.bias"][0] = float("nan")
    with pytest.raises(NetworkError, match="net.pt: the weight features.0.bias holds NaN"):
        load(saved(state), options())
    spec = NetworkSpec(kind="lenet", shape=list(SHAPE), classes=CLASSES, mean=[0.5] * 3, std=[0.25] * 3)
    found = torch.load(io.BytesIO(network_bytes(build_network(spec, 0))), weights_only=True)
    found["state"]["body.0.bias"][0] = float("inf")
    with pytest.raises(NetworkError, match="net.pt: the weight body.0.bias holds infinity"):
        load(saved(found), options("lenet"))


def test_a_flipped_bit_is_refused(squeezenet):
    content = bytearray(saved(squeezenet.state_dict()))
    content[len(content) // 2] ^= 1
    with pytest.raises(NetworkError, match="net.pt: is damaged: .* has another check sum"):
        load(bytes(content), options())


def test_a_hash_stands_in_a_job_only_where_it_is_given():
    assert "sha256" not in options().model_dump()
    assert options(sha256="0" * 64).model_dump()["sha256"] == "0" * 64
    with pytest.raises(ValueError, match="sha256"):
        options(sha256="abc")

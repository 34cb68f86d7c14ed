"""Gradients of logits: those that go back by places are autograd's."""

import numpy as np
import pytest
import torch

from passband.kernels import cpu
from passband.pipeline.networks.network import NetworkSpec, build_network
from passband.pipeline.surrogate.gradients import ByAutograd, ByPlaces, difference
from passband.pipeline.surrogate.model import Surrogate
from passband.pipeline.surrogate.options import SurrogateOptions

BATCH = 4


def network(kind, shape, **given):
    channels = {"mean": [0.4] * shape[0], "std": [0.2, 0.5, 0.3][: shape[0]]}
    spec = NetworkSpec(kind=kind, shape=list(shape), classes=list("abcde"), **channels, **given)
    made, generator = build_network(spec, seed=2), torch.Generator().manual_seed(4)
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for values in (module.weight, module.bias, module.running_mean, module.running_var):
                values.data.uniform_(0.3, 1.5, generator=generator)
    return made


def surrogate(made, **options):
    given = {"network": made.spec.kind, "checkpoint": "model.pt", "batch": BATCH, **options}
    return Surrogate(made, SurrogateOptions.model_validate(given), made.spec.shape, cpu)


def points(shape):
    return torch.from_numpy(np.random.default_rng(3).random((BATCH, *shape), np.float32))


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize(
    ("kind", "shape"),
    [("lenet", (3, 32, 32)), ("lenet", (1, 28, 28)), ("lenet", (3, 17, 19)), ("lenet", (1, 16, 16)),
     ("convnet", (3, 20, 18))],
)  # fmt: skip
def test_those_by_places_are_those_of_autograd(kind, shape, batch_norm, channels_last):
    judged = surrogate(network(kind, shape, batch_norm=batch_norm), channels_last=channels_last)
    with judged.calling():
        quick = judged.gradients(points(shape))
        plain = ByAutograd(judged.logits, points(shape))
        assert isinstance(quick, ByPlaces)
        assert torch.equal(quick.logits, plain.logits)  # what is judged does not depend on the way
        for to, away in ((0, 1), (4, 2)):
            chosen = (torch.full((BATCH, 1), to), torch.full((BATCH, 1), away))
            coefficients = difference(quick.logits, *chosen)
            expected = plain.of(coefficients)
            assert expected.abs().max() > 0
            scale = expected.abs().max().item()
            np.testing.assert_allclose(quick.of(coefficients) / scale, expected / scale, atol=2e-6)


@pytest.mark.parametrize(
    ("kind", "options"), [("vgg11", {}), ("resnet18", {}), ("lenet", {"precision": "bfloat16"})], ids=str
)
def test_other_networks_go_by_autograd(kind, options):
    judged = surrogate(network(kind, (3, 32, 32)), **options)
    with judged.calling():
        assert isinstance(judged.gradients(points((3, 32, 32))), ByAutograd)


def test_a_difference_of_a_class_from_itself_is_nothing():
    classes = torch.tensor([[1], [2]])
    found = difference(torch.zeros(2, 3), classes, torch.tensor([[1], [0]]))
    assert found.tolist() == [[0, 0, 0], [-1, 0, 1]]

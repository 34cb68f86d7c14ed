import numpy as np
import pytest
import torch
from scipy import signal
from torch import nn

from passband.pipeline.networks.checkpoint import NetworkError
from passband.pipeline.networks.network import NetworkSpec, build_network
from passband.pipeline.networks.smoothing import smooth_kernels, smoothed

SHAPES = [(4, 3, 3, 3), (5, 1, 5, 5), (2, 3, 1, 1), (3, 2, 4, 7)]


def drawn(shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def test_three_by_three_by_hand():
    kernel = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])[None, None]
    # The corner 1 lies among 1 1 2 / 1 . 2 / 4 4 5.
    around = torch.tensor([[20.0, 25.0, 30.0], [35.0, 40.0, 45.0], [50.0, 55.0, 60.0]])
    assert torch.equal(smooth_kernels(kernel, 0.5), kernel + 0.5 * around)


@pytest.mark.parametrize("axes", ["space", "channels"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_ends_are_the_identity_and_a_constant(shape, axes):
    assert torch.equal(smooth_kernels(drawn(shape), 0.0, axes), drawn(shape))
    constant = smooth_kernels(torch.full(shape, 0.5), 0.25, axes)
    assert torch.equal(constant, torch.full(shape, 0.5 * (1 + 8 * 0.25)))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("axes", ["space", "channels"])
def test_it_is_a_convolution_with_a_mask_of_one_and_rho(shape, axes):
    """SciPy's symmetric boundary repeats the edge, which for one value beyond it is replication."""
    weight, rho = drawn(shape), 0.2
    mask = np.full((3, 3), rho)
    mask[1, 1] = 1
    planes = weight.double().numpy()
    planes = planes if axes == "space" else planes.transpose(2, 3, 0, 1)
    expected = np.stack([[signal.convolve2d(p, mask, mode="same", boundary="symm") for p in row] for row in planes])
    expected = expected if axes == "space" else expected.transpose(2, 3, 0, 1)
    np.testing.assert_allclose(smooth_kernels(weight, rho, axes).numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("kind", ["lenet", "resnet18"])
def test_only_the_first_convolution_of_a_copy_changes(kind):
    spec = NetworkSpec(kind=kind, shape=[3, 16, 16], classes=["a", "b"], mean=[0.5] * 3, std=[0.2] * 3)
    network = build_network(spec, seed=0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    after = smoothed(network, 0.5).state_dict()
    first = next(name for name, module in network.named_modules() if isinstance(module, nn.Conv2d)) + ".weight"
    assert [name for name in before if not torch.equal(before[name], after[name])] == [first]
    assert torch.equal(after[first], smooth_kernels(before[first], 0.5))
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_a_network_without_convolutions_is_refused():
    spec = NetworkSpec(kind="lenet", shape=[3, 16, 16], classes=["a", "b"], mean=[0.5] * 3, std=[0.2] * 3)
    network = build_network(spec, seed=0)
    network.body = nn.Sequential(nn.Flatten(), nn.Linear(768, 2))
    with pytest.raises(NetworkError, match="lenet has no convolution"):
        smoothed(network, 0.1)

import numpy as np
import pytest
import torch
from torch import nn

from passband.jobs.common.jobfile import JobError
from passband.jobs.evaluation.adapt import AdaptedClassifier, AdaptedNorm, adapted
from passband.jobs.evaluation.spec import Adaptation
from passband.pipeline.networks.network import build_network
from tests.jobs.evaluation.conftest import spec_of


def trained_norm(channels: int) -> nn.BatchNorm2d:
    """A batch norm with statistics and weights that are not those of a fresh one."""
    rng = torch.Generator().manual_seed(0)
    norm = nn.BatchNorm2d(channels).eval()
    with torch.no_grad():
        for tensor in (norm.running_mean, norm.weight, norm.bias):
            tensor.copy_(torch.randn(channels, generator=rng))
        norm.running_var.copy_(torch.rand(channels, generator=rng) + 0.5)
    return norm


def by_hand(norm: nn.BatchNorm2d, images: np.ndarray, prior: int) -> np.ndarray:
    """Equation 5.7 in float64 for one group of samples."""
    num = len(images)
    out = np.empty(images.shape)
    for channel in range(images.shape[1]):
        pixels = images[:, channel].astype(np.float64)
        measured_mean = pixels.sum() / pixels.size
        measured_var = ((pixels - measured_mean) ** 2).sum() / pixels.size
        mean = prior / (prior + num) * float(norm.running_mean[channel]) + num / (prior + num) * measured_mean
        var = prior / (prior + num) * float(norm.running_var[channel]) + num / (prior + num) * measured_var
        scale, shift = norm.weight[channel].item(), norm.bias[channel].item()
        out[:, channel] = (pixels - mean) / np.sqrt(var + norm.eps) * scale + shift
    return out


@pytest.mark.parametrize(("prior", "batch"), [(16, 1), (16, 8), (0, 8), (3, 2)])
def test_statistics_are_mixed_as_in_the_equation(prior, batch):
    norm = trained_norm(3)
    images = torch.randn(8, 3, 5, 7, generator=torch.Generator().manual_seed(1)) * 2 + 1
    found = AdaptedNorm(norm, Adaptation(prior=prior, batch=batch))(images).detach().numpy()
    for start in range(0, 8, batch):
        expected = by_hand(norm, images[start : start + batch].numpy(), prior)
        np.testing.assert_allclose(found[start : start + batch], expected, atol=2e-5)


def test_the_ends_are_the_trained_and_the_batch_statistics():
    norm = trained_norm(4)
    images = torch.randn(6, 4, 3, 3, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        heavy = AdaptedNorm(norm, Adaptation(prior=10**9, batch=6))(images)
        torch.testing.assert_close(heavy, norm(images))
        none = AdaptedNorm(norm, Adaptation(prior=0, batch=6))(images)
        torch.testing.assert_close(none, norm.train()(images))


def test_fewer_samples_than_a_group_weigh_as_many_as_they_are():
    norm = trained_norm(2)
    images = torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(1))
    found = AdaptedNorm(norm, Adaptation(prior=16, batch=8))(images).detach().numpy()
    np.testing.assert_allclose(found, by_hand(norm, images.numpy(), 16), atol=2e-5)


@pytest.mark.parametrize("kind", ["resnet18", "wide_resnet16_4"])
def test_every_norm_is_replaced_in_a_copy(kind):
    network = build_network(spec_of(kind), seed=0)
    changed = adapted(network, Adaptation(prior=0, batch=4))
    norms = sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    assert norms > 5
    assert sum(isinstance(module, AdaptedNorm) for module in changed.modules()) == norms
    assert not any(isinstance(module, nn.BatchNorm2d) for module in changed.modules())
    images = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(changed(images), network.train()(images), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("kind", ["lenet", "convnet"])
def test_a_network_without_batch_norm_is_refused(kind):
    with pytest.raises(JobError, match=f"adapt: the network {kind} has no batch norm"):
        adapted(build_network(spec_of(kind), seed=0), Adaptation(prior=16, batch=1))


@pytest.mark.parametrize("batch", [1, 4, 5, 13, 20])
def test_logits_do_not_depend_on_where_batches_begin(batch):
    network = adapted(build_network(spec_of("wide_resnet16_4"), seed=0), Adaptation(prior=2, batch=batch))
    images = torch.rand(13, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = []
        for size in (batch, 2 * batch, 100 * batch):
            classify = AdaptedClassifier(network, Adaptation(prior=2, batch=batch))
            found.append(torch.cat([classify(part) for part in images.split(size)]))
        torch.testing.assert_close(found[1], found[0])
        torch.testing.assert_close(found[2], found[0])
        rest = 13 % batch if batch <= 13 else 13
        if rest:
            torch.testing.assert_close(found[0][-rest:], network(images[-batch:])[-rest:])

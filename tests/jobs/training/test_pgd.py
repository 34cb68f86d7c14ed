import numpy as np
import pytest
import torch
from torch import nn

from passband.jobs.training.pgd import Pgd, random_starts

SHAPE = (3, 2, 5, 4)


def made(seed=0, low=0.3, high=0.7):
    """Images far enough from 0 and 1 for a radius of 0.3, and a direction in which the losses grow."""
    generator = torch.Generator().manual_seed(seed)
    images = low + (high - low) * torch.rand(SHAPE, generator=generator)
    return images, torch.randn(SHAPE, generator=generator)


def lengths(offsets):
    return offsets.flatten(1).norm(dim=1)


@pytest.mark.parametrize("begun", [False, True])
def test_linf_reaches_the_corner_of_a_linear_loss(begun):
    images, w = made()
    start = random_starts("linf", 0.1, images, torch.arange(3), 0) if begun else None
    found = Pgd("linf", 0.1, 10, 0.025)(lambda x: (x * w).flatten(1).sum(1), images, start)
    torch.testing.assert_close(found, images + 0.1 * w.sign())


@pytest.mark.parametrize("begun", [False, True])
def test_l2_reaches_the_point_of_the_sphere_of_a_linear_loss(begun):
    images, w = made()
    start = random_starts("l2", 0.2, images, torch.arange(3), 0) if begun else None
    found = Pgd("l2", 0.2, 60, 0.05)(lambda x: (x * w).flatten(1).sum(1), images, start)
    expected = images + 0.2 * w / lengths(w)[:, None, None, None]
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-4 if begun else 1e-6)


def test_one_step_as_long_as_the_radius_is_fgsm():
    images, _ = made(low=0.0, high=1.0)
    body = nn.Sequential(nn.Flatten(), nn.Linear(40, 7), nn.Tanh(), nn.Linear(7, 1), nn.Flatten(0))
    moved = images.clone().requires_grad_()
    body(moved).sum().backward()
    body.zero_grad(set_to_none=True)
    found = Pgd("linf", 0.05, 1, 0.05)(body, images)
    torch.testing.assert_close(found, (images + 0.05 * moved.grad.sign()).clamp(0, 1))
    assert all(parameter.grad is None for parameter in body.parameters())
    assert not found.requires_grad


def test_l2_agrees_with_the_plain_way_in_float64():
    images, w = made(low=0.0, high=1.0)

    def losses(x):
        return ((x - 0.4) ** 3 * w.to(x)).flatten(1).sum(1)

    center, x = images.double(), images.double()
    for _ in range(4):
        x = x.requires_grad_()
        (gradient,) = torch.autograd.grad(losses(x).sum(), x)
        with torch.no_grad():
            for n in range(len(x)):
                offset = x[n] + 0.2 * gradient[n] / gradient[n].norm() - center[n]
                offset *= min(1.0, 0.5 / float(offset.norm()))
                x[n] = (center[n] + offset).clip(0, 1)
        x = x.detach()
    torch.testing.assert_close(Pgd("l2", 0.5, 4, 0.2)(losses, images).double(), x, rtol=0, atol=1e-5)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("radius", [0.01, 0.3, 2.0])
def test_nothing_leaves_the_ball_or_the_range_of_pixels(norm, radius):
    images, w = made(low=0.0, high=1.0)
    images[0, 0, 0, :2] = torch.tensor([0.0, 1.0])
    start = random_starts(norm, radius, images, torch.tensor([5, 2**31, 0]), 1, 2)
    found = Pgd(norm, radius, 7, radius)(lambda x: (x**3 * w).flatten(1).sum(1), images, start)
    assert found.min() >= 0
    assert found.max() <= 1
    far = (found - images).flatten(1).norm(dim=1, p=2 if norm == "l2" else torch.inf)
    assert far.max() <= radius + 1e-6
    assert far.min() > radius / 10


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_radius_of_zero_changes_nothing_not_even_pixels_outside_the_range(norm):
    images = torch.tensor([-0.2, 0.0, 0.5, 1.25]).view(1, 1, 2, 2)
    start = random_starts(norm, 0.0, images, torch.tensor([3]), 0)
    assert torch.equal(Pgd(norm, 0.0, 3, 0.5)(lambda x: x.flatten(1).sum(1), images, start), images)


def test_pixels_outside_the_range_may_come_nearer_to_it():
    images = torch.tensor([-0.2, 0.5, 1.25, 1.25]).view(1, 1, 2, 2)
    w = torch.tensor([1.0, 1.0, 1.0, -1.0]).view(1, 1, 2, 2)
    found = Pgd("linf", 0.1, 3, 0.1)(lambda x: (x * w).flatten(1).sum(1), images)
    torch.testing.assert_close(found.flatten(), torch.tensor([-0.1, 0.6, 1.25, 1.15]))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_an_image_without_a_gradient_stays(norm):
    images, _ = made()
    assert torch.equal(Pgd(norm, 0.1, 3, 0.1)(lambda x: 0 * x.flatten(1).sum(1), images), images)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_what_is_not_finite_shows(norm):
    images, w = made()
    images[1, 0, 0, 0] = torch.nan
    found = Pgd(norm, 0.1, 3, 0.1)(lambda x: (x * w).flatten(1).sum(1), images)
    assert found[1].isnan().any()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_start_depends_on_its_plan_index_and_its_address_alone(norm):
    like, indices = torch.zeros(4, 1, 3, 5), torch.tensor([7, 0, 2**32 - 1, 7])
    starts = random_starts(norm, 0.5, like, indices, "training", 3, 20)
    assert starts.shape == like.shape
    assert starts.dtype == torch.float32
    assert torch.equal(starts[0], starts[3])
    assert not torch.equal(starts[0], starts[1])
    for row in range(4):
        alone = random_starts(norm, 0.5, like[:1], indices[row : row + 1], "training", 3, 20)
        assert torch.equal(alone[0], starts[row])
    assert not torch.equal(starts, random_starts(norm, 0.5, like, indices, "training", 3, 21))
    assert not torch.equal(starts, random_starts(norm, 0.5, like, indices, "training", 32, 0))
    assert random_starts(norm, 0.5, like[:0], indices[:0], 0).shape == (0, 1, 3, 5)


def test_starts_are_uniform_in_the_ball():
    count = 4000
    like, indices = torch.zeros(count, 1, 1, 3), torch.arange(count)
    cube = random_starts("linf", 0.5, like, indices, 0)
    assert cube.abs().max() <= 0.5
    assert abs(float((cube**2).mean()) - 0.25 / 3) < 4 * 0.25 * np.sqrt(4 / 45 / (3 * count))
    ball = random_starts("l2", 0.5, like, indices, 0)
    far = lengths(ball) / 0.5
    assert far.max() <= 1 + 1e-6
    assert abs(float((far**3).mean()) - 0.5) < 4 * np.sqrt(1 / 12 / count)  # the volume within it is uniform
    assert ball.mean(0).abs().max() < 0.03

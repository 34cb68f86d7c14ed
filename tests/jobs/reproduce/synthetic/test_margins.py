"""Margins in subspaces: exact for linear networks, never smaller than the boundary is near for others."""

import pytest
import torch

from passband.jobs.reproduce.synthetic.margins import subspace_margins
from passband.jobs.reproduce.synthetic.network import perceptron
from passband.jobs.reproduce.synthetic.samples import rotation


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def basis_of(dimensions, within, seed):
    return torch.linalg.qr(torch.randn(dimensions, within, generator=generator(seed)))[0]


@pytest.mark.parametrize("dimensions", [3, 31])
def test_margins_of_a_linear_network_are_exact(dimensions):
    """|w.x + b| / ||P_S w||, in float64."""
    network = perceptron(dimensions, (), generator())
    points = 5 * torch.randn(50, dimensions, generator=generator(1))
    bases = [basis_of(dimensions, within, within) for within in (1, 2, dimensions)]
    found = subspace_margins(network, points, bases)
    weight, bias = (p.detach().double()[1] - p.detach().double()[0] for p in network[0].parameters())
    for basis, norms, own in zip(bases, found.norms, found.unrefined, strict=True):
        exact = (points.double() @ weight + bias).abs() / (basis.double().T @ weight).norm()
        torch.testing.assert_close(own.double(), exact, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(norms.double(), exact, rtol=1e-4, atol=1e-5)
    assert int(found.steps.max()) == 1


def test_a_margin_is_no_further_than_where_the_class_is_another():
    """Beyond what DeepFool passed, the boundary itself: just before it the class is still that of the point."""
    network = perceptron(8, (40, 40), generator(3))
    points = 3 * torch.randn(16, 8, generator=generator(4))
    (basis,) = [basis_of(8, 1, 5)]
    found = subspace_margins(network, points, [basis])
    assert bool((found.norms <= 1.021 * found.unrefined).all())
    classes = network(points).argmax(1)
    reached = found.norms[0].isfinite()
    assert reached.any()
    for share, changed in ((0.999, False), (1.001, True)):
        moved = share * found.norms[0][reached, None] * basis.T
        both = [network(points[reached] + sign * moved).argmax(1) != classes[reached] for sign in (1, -1)]
        if changed:
            assert bool((both[0] | both[1]).all())
        else:
            assert bool((~both[0] | ~both[1]).all())


class Scored(torch.nn.Module):
    """Two logits whose difference is a function of x_1."""

    def __init__(self, score):
        super().__init__()
        self.score = score

    def forward(self, points):
        score = self.score(points[:, 0])
        return torch.stack([torch.zeros_like(score), score], 1)


steep = Scored(lambda x: torch.tanh(5 * (x - 1)) + 0.02 * (x - 1))  # a step at 1, and nearly flat elsewhere
wavy = Scored(lambda x: 2 + torch.sin(20 * x))  # one class everywhere


def test_what_deepfool_passes_far_is_found_by_halving():
    points = torch.tensor([[0.0, 7.0], [2.5, -1.0]])
    found = subspace_margins(steep, points, [torch.tensor([[1.0], [0.0]])])
    assert bool((found.unrefined > 1.5 * torch.tensor([1.0, 1.5])).all())
    torch.testing.assert_close(found.norms, torch.tensor([[1.0, 1.5]]), rtol=1e-3, atol=0)


def test_where_no_step_leads_anywhere_there_is_no_margin():
    found = subspace_margins(steep, torch.tensor([[0.0, 7.0]]), [torch.tensor([[0.0], [1.0]])])
    assert found.norms.tolist() == [[float("inf")]]
    assert found.steps.tolist() == [[0]]


def test_steps_are_counted_and_bounded():
    found = subspace_margins(wavy, torch.tensor([[0.0], [0.1]]), [torch.ones(1, 1)], most_steps=3)
    assert found.norms.isinf().all()
    assert found.steps.tolist() == [[3, 3]]


def test_pairs_are_what_they_are_alone():
    """Up to what the last bits of a product, which depend on a row's place, make of a path of many steps."""
    network = perceptron(11, (30, 30), generator(6))
    points = 3 * torch.randn(13, 11, generator=generator(7))
    bases = [rotation(11, generator(8))[:, :3], basis_of(11, 5, 9)]
    together = subspace_margins(network, points, bases, 20, batch=8)
    for number, basis in enumerate(bases):
        alone = [subspace_margins(network, point[None], [basis], 20, batch=8).norms[0] for point in points]
        torch.testing.assert_close(together.norms[number], torch.cat(alone), rtol=1e-2, atol=0)

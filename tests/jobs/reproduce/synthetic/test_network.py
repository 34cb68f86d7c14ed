"""Perceptrons and their training by plain gradient descent."""

import math

import pytest
import torch

from passband.jobs.reproduce.synthetic.network import accuracy, descend, perceptron
from passband.jobs.reproduce.synthetic.samples import Points, separable


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_weights_begin_as_those_of_torch_and_leave_its_random_state_alone():
    torch.manual_seed(3)
    network = perceptron(400, (100, 50), generator())
    assert torch.initial_seed() == 3
    torch.manual_seed(3)
    theirs = torch.nn.Sequential(
        torch.nn.Linear(400, 100), torch.nn.ReLU(), torch.nn.Linear(100, 50), torch.nn.ReLU(), torch.nn.Linear(50, 2)
    )
    assert [type(layer) for layer in network] == [type(layer) for layer in theirs]
    for ours, other in zip(network.parameters(), theirs.parameters(), strict=True):
        assert ours.shape == other.shape
    for layer, other in zip(network[::2], theirs[::2], strict=True):
        bound = layer.in_features**-0.5
        for drawn in (*layer.parameters(), *other.parameters()):
            assert drawn.detach().abs().max().item() <= bound
        assert min(each.weight.detach().abs().max().item() for each in (layer, other)) > 0.9 * bound
    assert torch.equal(perceptron(9, (), generator(1))[0].weight, perceptron(9, (), generator(1))[0].weight)


@pytest.mark.parametrize(("momentum", "clip"), [(0.0, None), (0.9, None), (0.9, 0.3)])
def test_a_step_is_that_of_logistic_regression(momentum, clip):
    """Three steps on all points against the gradient written out in float64."""
    made = separable(8, torch.eye(3), 2.0, 1.0, generator(1))
    network = perceptron(3, (), generator(2))
    weights = torch.cat([network[0].weight, network[0].bias[:, None]], 1).detach().double()
    points, wanted = made.points.double(), torch.nn.functional.one_hot(made.labels, 2).double()
    points = torch.cat([points, torch.ones(8, 1, dtype=torch.float64)], 1)
    velocity = torch.zeros_like(weights)
    for rate in (0.6, 0.4, 0.2):  # linear from 0.6 over three steps
        gradient = (torch.softmax(points @ weights.T, 1) - wanted).T @ points / len(points)
        if clip is not None:
            gradient = gradient * min(1.0, clip / float(gradient.norm()))
        velocity = momentum * velocity + gradient
        weights = weights - rate * velocity
    descend(network, made, epochs=3, batch=8, rate=0.6, momentum=momentum, clip=clip, generator=generator(3))
    ours = torch.cat([network[0].weight, network[0].bias[:, None]], 1).detach().double()
    torch.testing.assert_close(ours, weights, atol=1e-5, rtol=0)


def test_it_learns_what_can_be_told_apart():
    made = separable(500, torch.eye(5), 5.0, 1.0, generator(1))
    network = perceptron(5, (10,), generator(2))
    loss = descend(network, made, epochs=20, batch=50, rate=0.1, momentum=0.0, clip=None, generator=generator(3))
    assert loss < 0.1
    assert accuracy(network, made) == 1


def test_a_checkpoint_can_end_it_before_any_epoch():
    made = separable(20, torch.eye(2), 5.0, 1.0, generator())
    network = perceptron(2, (), generator())
    before = network[0].weight.detach().clone()
    calls = iter([None, SystemExit(1)])

    def checkpoint():
        if (problem := next(calls)) is not None:
            raise problem

    with pytest.raises(SystemExit):
        descend(
            network,
            made,
            epochs=9,
            batch=10,
            rate=0.1,
            momentum=0.0,
            clip=None,
            generator=generator(),
            checkpoint=checkpoint,
        )
    assert not torch.equal(before, network[0].weight.detach())


def test_accuracy_is_a_share():
    network = perceptron(2, (), generator())
    made = separable(10, torch.eye(2), 5.0, 1.0, generator())
    right = accuracy(network, made)
    assert accuracy(network, Points(made.points, 1 - made.labels)) == pytest.approx(1 - right)
    assert math.isclose(right * 10, round(right * 10))

"""Fully connected networks of two classes, and their training by plain gradient descent."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from passband.jobs.reproduce.synthetic.samples import Points


def perceptron(dimensions: int, hidden: Sequence[int], generator: torch.Generator) -> nn.Sequential:
    """Return a multi-layer perceptron with ReLU and two logits; without hidden layers it is logistic regression.

    Its weights and biases are uniform within 1 / sqrt(inputs), as PyTorch begins linear layers, drawn from `generator`.
    """
    sizes = [dimensions, *hidden, 2]
    layers: list[nn.Module] = []
    for inputs, outputs in zip(sizes, sizes[1:], strict=False):
        layer = nn.utils.skip_init(nn.Linear, inputs, outputs)  # so that no global random state is touched
        for parameter in (layer.weight, layer.bias):
            nn.init.uniform_(parameter, -(inputs**-0.5), inputs**-0.5, generator=generator)
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def descend(
    network: nn.Module,
    made: Points,
    *,
    epochs: int,
    batch: int,
    rate: float,
    momentum: float,
    clip: float | None,
    generator: torch.Generator,
    checkpoint: Callable[[], None] = lambda: None,
) -> float:
    """Train by SGD on the cross-entropy, and return its mean over the last epoch.

    No weight decay; the rate falls linearly from `rate` to zero, by step. Every epoch is a new order, of which the rest
    that fills no batch is left out.

    Parameters
    ----------
    momentum : 0 to 1, without dampening
    clip : largest l2 norm of a step's gradient, None for no bound
    generator : draws the orders
    checkpoint : called before every epoch; what it raises ends the training
    """
    optimizer = torch.optim.SGD(network.parameters(), lr=rate, momentum=momentum)
    number = len(made.labels) // batch
    steps, mean = epochs * number, 0.0
    for epoch in range(epochs):
        checkpoint()
        order, total = torch.randperm(len(made.labels), generator=generator), 0.0
        for step in range(number):
            optimizer.param_groups[0]["lr"] = rate * (1 - (epoch * number + step) / steps)
            chosen = order[step * batch : (step + 1) * batch]
            loss = nn.functional.cross_entropy(network(made.points[chosen]), made.labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            if clip is not None:
                nn.utils.clip_grad_norm_(network.parameters(), clip)
            optimizer.step()
            total += loss.item()
        mean = total / number
    return mean


@torch.no_grad()
def accuracy(network: nn.Module, made: Points) -> float:
    """Return the share of points that the network gets right, 0 to 1."""
    right: Tensor = network(made.points).argmax(1) == made.labels
    return float(right.double().mean())

"""What FGMix's weights are learned by: flatness of the loss, and likeness to a prior (eq. 6, 7)."""

import numpy as np
import torch
from torch import Tensor, nn

from passband.jobs.training.objectives.codes import LastLayer
from passband.jobs.training.objectives.weighting import mlp


def sphere(rng: np.random.Generator, count: int, dimensions: int) -> Tensor:
    """Return `count` directions, uniform on the unit sphere: (count, dimensions) float64."""
    drawn = rng.standard_normal((count, dimensions))
    return torch.from_numpy(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))


def flatness_loss(codes: Tensor, labels: Tensor, layer: LastLayer, directions: Tensor, radius: float) -> Tensor:
    """Return the mean rise of the loss from the last layer to others `radius` away (eq. 6).

    Parameters
    ----------
    codes : (M, F); labels : (M,) int64
    directions : (D, P) unit vectors, P the number of weights of the layer: its matrix row by row, a bias at the end of
        each

    Returns
    -------
    0-d, the mean over directions and codes of L(h + radius * e) - L(h)
    """
    logits = layer.logits(codes)
    rises = layer.inputs(codes) @ directions.view(len(directions), logits.shape[1], -1).mT
    moved = (logits + radius * rises).flatten(0, 1)
    there = nn.functional.cross_entropy(moved, labels.repeat(len(directions)))
    return there - nn.functional.cross_entropy(logits, labels)


def fooling_loss(discriminator: Tensor, mixtures: Tensor) -> Tensor:
    """Return the mean of -log d(z) over mixtures (M, F) (eq. 7); d is the sigmoid of a network's output."""
    return nn.functional.softplus(-mlp(discriminator, mixtures)).mean()


def discriminator_loss(discriminator: Tensor, prior: Tensor, mixtures: Tensor) -> Tensor:
    """Return the binary cross-entropy of telling codes of the prior (M, F) from mixtures (M, F), summed over both."""
    return fooling_loss(discriminator, prior) + nn.functional.softplus(mlp(discriminator, mixtures)).mean()

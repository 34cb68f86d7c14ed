"""How FGMix weighs the samples of a combination: scores of pairs, softmax, scaling and shifting (eq. 3 to 5).

Letters of shapes: M combinations of n samples, F features of a code, P entries of what is compared.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from passband.jobs.training.objectives.codes import LastLayer

HIDDEN = 64
"""Width of the hidden layer of both small networks (section 4.1)."""


def classifier_gradients(codes: Tensor, labels: Tensor, layer: LastLayer) -> Tensor:
    """Return the gradient of each sample's cross-entropy by the weights of the last layer.

    Parameters
    ----------
    codes : (M, n, F); labels : (M,) int64

    Returns
    -------
    (M, n, P): (p - y) z^T, with z followed by 1 where the layer has a bias; P is classes * F, or classes * (F + 1)
    """
    shares = layer.logits(codes).softmax(-1)
    errors = shares - nn.functional.one_hot(labels, shares.shape[-1])[:, None]
    return (errors[..., :, None] * layer.inputs(codes)[..., None, :]).flatten(-2)


def cosine_scores(compared: Tensor, present: Tensor) -> Tensor:
    """Return, for each of `compared` (M, n, P), the sum of its cosines with the others that are present: (M, n)."""
    directions = nn.functional.normalize(compared, dim=-1)
    return _over_others(directions @ directions.mT, present)


def compatibility_scores(network: Tensor, compared: Tensor, present: Tensor) -> Tensor:
    """Return s_i = sum over j != i of phi([x_i, x_j]), which is not symmetric (eq. 3).

    Parameters
    ----------
    network : the weights of phi, as `mlp_weights` makes them for 2 P inputs
    compared : (M, n, P); present : (M, n) bool

    Returns
    -------
    (M, n), 0 where absent

    Notes
    -----
    The first layer takes each half of a pair once, so pairs are never laid out.
    """
    weight, bias, out, out_bias = _layers(network, 2 * compared.shape[-1])
    first, second = (compared @ half.mT for half in weight.chunk(2, dim=1))
    hidden = (first[:, :, None] + second[:, None, :] + bias).relu()
    return _over_others(hidden @ out + out_bias, present)


def _over_others(pairs: Tensor, present: Tensor) -> Tensor:
    """Sum `pairs` (M, n, n) over the second sample, where both are present and another."""
    both = present[:, :, None] & present[:, None, :]
    other = ~torch.eye(present.shape[1], dtype=torch.bool, device=present.device)
    return torch.where(both & other, pairs, 0).sum(2)


def mixing_weights(scores: Tensor, present: Tensor, scale: Tensor | float = 1.0) -> Tensor:
    """Return w = a softmax(s) - (a - 1) / n over the samples that are present (eq. 4, 5).

    Parameters
    ----------
    scores : (M, n); present : (M, n) bool, at least one in each row
    scale : a; above 1 a weight may be negative or above 1, and the mixture extrapolates

    Returns
    -------
    (M, n), 0 where absent; rows sum to 1
    """
    shares = torch.where(present, scores, -torch.inf).softmax(1)
    count = present.sum(1, keepdim=True).to(shares)
    return torch.where(present, scale * shares - (scale - 1) / count, 0)


def dirichlet_scores(rng: np.random.Generator, shape: tuple[int, int]) -> Tensor:
    """Return scores whose softmax is uniform on the simplex, Dirichlet(1, ..., 1): logarithms of exponentials."""
    return torch.from_numpy(np.log(rng.standard_exponential(shape)))


def mlp_weights(rng: np.random.Generator, inputs: int, *more: float) -> NDArray[np.float64]:
    """Draw a network of `inputs`, `HIDDEN` and 1 unit as one vector, and append the numbers `more`.

    Weights are uniform within 1 / sqrt(inputs of their layer), biases 0.
    """
    first = rng.uniform(-1, 1, HIDDEN * inputs) / inputs**0.5
    second = rng.uniform(-1, 1, HIDDEN) / HIDDEN**0.5
    return np.concatenate([first, np.zeros(HIDDEN), second, [0.0], more])


def mlp(network: Tensor, rows: Tensor) -> Tensor:
    """Return what a network as `mlp_weights` draws it makes of `rows` (M, F): (M,)."""
    weight, bias, out, out_bias = _layers(network, rows.shape[-1])
    return (rows @ weight.mT + bias).relu() @ out + out_bias


def _layers(network: Tensor, inputs: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    sizes = [HIDDEN * inputs, HIDDEN, HIDDEN, 1]
    weight, bias, out, out_bias = network[: sum(sizes)].split(sizes)
    return weight.view(HIDDEN, inputs), bias, out, out_bias

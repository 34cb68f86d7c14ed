"""Kernels of a trained network's first convolution, smoothed (Wang et al. 2020, section 6.3, equation 3)."""

import copy
from typing import Literal

import torch
from torch import Tensor, nn

from passband.pipeline.networks.checkpoint import NetworkError
from passband.pipeline.networks.network import Network

Axes = Literal["space", "channels"]


def smooth_kernels(weight: Tensor, rho: float, axes: Axes = "space") -> Tensor:
    """Return ``w'_ij = w_ij + rho * (sum of the eight neighbors of w_ij)``; nothing is rescaled.

    Parameters
    ----------
    weight : (outputs, inputs, height, width) float
    rho : float
    axes : which of its axes i and j are
        ``space``: height and width, as the text says. ``channels``: outputs and inputs, which is what the authors'
        code, written for TensorFlow's (height, width, inputs, outputs), smooths of a PyTorch weight.

    Returns
    -------
    Tensor like `weight`. Beyond an edge lies the value at the edge.
    """
    planes = weight if axes == "space" else weight.permute(2, 3, 0, 1)
    padded = nn.functional.pad(planes, (1, 1, 1, 1), mode="replicate")
    around = nn.functional.avg_pool2d(padded, 3, stride=1, divisor_override=1) - planes
    found = planes + rho * around
    return found if axes == "space" else found.permute(2, 3, 0, 1).contiguous()


def smoothed(network: Network, rho: float, axes: Axes = "space") -> Network:
    """Return a copy of `network` whose first convolution has smoothed kernels.

    Raises
    ------
    NetworkError
        If it has no convolution.
    """
    changed = copy.deepcopy(network)
    first = next((module for module in changed.modules() if isinstance(module, nn.Conv2d)), None)
    if first is None:
        raise NetworkError(f"smoothing: the network {network.spec.kind} has no convolution, so no kernels to smooth")
    with torch.no_grad():
        first.weight.copy_(smooth_kernels(first.weight, rho, axes))
    return changed

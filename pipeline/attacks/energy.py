"""The energy of images within subspaces, as a share of all that they have."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from passband.pipeline.attacks.subspaces import Subspaces


def energy_shares(images: Tensor, subspaces: Subspaces) -> NDArray[np.float64]:
    """Return ||P_S x||^2 / ||x||^2 of each image, or perturbation, within each of J subspaces.

    Parameters
    ----------
    images : (N, C, H, W) float
    subspaces : of images of that shape

    Returns
    -------
    (M, J) float64, 0 to 1; M leaves those out that are zero. Blocks that overlap share energy: the sum may exceed 1.
    """
    moved = images.double()
    moved = moved[torch.linalg.vector_norm(moved.flatten(1), dim=1) > 0]
    whole = moved.flatten(1).square().sum(1)
    within = [
        subspaces.at(np.full(len(moved), number)).coordinates(moved).square().sum(1) for number in range(len(subspaces))
    ]
    shares: NDArray[np.float64] = (torch.stack(within, 1) / whole[:, None]).clamp(max=1).numpy()  # rounding
    return shares

"""Combinations of samples of one class from different domains, drawn from a batch (FGMix, section 3.1)."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Combinations:
    """M combinations of samples of a batch, of at most n domains.

    Attributes
    ----------
    rows : (M, n) int64, of the batch; 0 where the domain has no sample of the class
    present : (M, n) bool, which domains have one; two or more in each combination
    labels : (M,) int64
    """

    rows: Tensor
    present: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> "Combinations":
        """Return them on a device."""
        return Combinations(self.rows.to(device), self.present.to(device), self.labels.to(device))

    def matrix(self, weights: Tensor, samples: int) -> Tensor:
        """Return `weights` (M, n), zero where absent, as those of all `samples` of the batch: (M, samples)."""
        return weights.new_zeros(len(self), samples).scatter_add(1, self.rows, weights)


def draw_combinations(
    rng: np.random.Generator, labels: NDArray[np.int64], domains: NDArray[np.int64], count: int | None
) -> Combinations:
    """Draw combinations of one sample of the same class from each domain that has the class in the batch.

    Parameters
    ----------
    labels, domains : (N,) of the batch, in an order that is the same however it is split
    count : combinations; None is as many as a domain has samples on average, rounded up

    Returns
    -------
    No combination where no class is of two domains. Else the class of one is that of a sample drawn among those whose
    class is, and from each domain that has it one of its samples is drawn.
    """
    found, inverse = np.unique(domains, return_inverse=True)
    members = np.zeros((len(found), int(labels.max(initial=0)) + 1), np.int64)
    np.add.at(members, (inverse, labels), 1)
    mixed = np.flatnonzero(((members > 0).sum(0) > 1)[labels])
    wanted = -(-len(labels) // max(1, len(found))) if count is None else count
    total = wanted if len(mixed) else 0
    classes = labels[mixed[rng.integers(len(mixed), size=total)]] if total else np.zeros(0, np.int64)
    sizes = members[:, classes].T
    ordered = np.lexsort((labels, inverse))  # by domain, then class; in the order of the batch within them
    starts = (np.cumsum(members) - members.ravel()).reshape(members.shape)[:, classes].T
    places = starts + np.floor(rng.random(sizes.shape) * sizes).astype(np.int64)
    rows = np.where(sizes > 0, ordered[np.minimum(places, len(labels) - 1)], 0)
    return Combinations(*map(torch.from_numpy, (rows, sizes > 0, classes)))

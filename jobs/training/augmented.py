"""Which samples are augmented, where not all are to be: the others show their first view in place of each."""

import numpy as np
import torch
from numpy.typing import NDArray

from passband.jobs.training.addressed import key_of
from passband.jobs.training.batches import TrainBatch

_AT_ONCE = 1 << 12


class AugmentedShare:
    """Keeps the further views of a share of the samples (data efficiency: Zhang et al. 2023, 4.3).

    A sample keeps them if a uniform number of its own, a function of (seed, plan index), is below the share. So a
    larger share has all samples of a smaller one, whatever the views are.

    Parameters
    ----------
    share : float in [0, 1], or None for all
    """

    def __init__(self, seed: int, share: float | None) -> None:
        self._share = share
        self._source = np.random.Philox(key=key_of("augmented share", seed))
        self._words: NDArray[np.uint64] = np.empty(0, np.uint64)

    def __call__(self, batch: TrainBatch) -> TrainBatch:
        """Return the batch with the first view in place of all views of samples that are not augmented."""
        if self._share is None:
            return batch
        kept = torch.from_numpy(self.keeps(batch.indices.cpu().numpy())).to(batch.first.device)[:, None, None, None]
        images = {name: torch.where(kept, images, batch.first) for name, images in batch.images.items()}
        return TrainBatch(images, batch.labels, batch.groups, batch.indices)

    def keeps(self, indices: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell which samples, (N,) plan indices, are augmented."""
        while len(self._words) <= indices.max(initial=-1):
            self._words = np.concatenate([self._words, self._source.random_raw(max(_AT_ONCE, len(self._words)))])
        uniform = (self._words[indices] >> np.uint64(11)) * 2.0**-53
        kept: NDArray[np.bool_] = uniform < (1.0 if self._share is None else self._share)
        return kept

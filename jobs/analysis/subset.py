"""A fixed part of the source that stands for all of it: the same number of images of every class as far as possible."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from passband.jobs.common.jobfile import JobError
from passband.kernels import philox

SUBSET_VIEW = 2**32 - 4
"""View number in the address of the shuffle that chooses a subset; its stage word is 0."""
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Strata:
    """How many images of each class there are, and how many of them are looked at.

    Attributes
    ----------
    sizes, taken : (classes,) int64
    """

    sizes: Integers
    taken: Integers

    @property
    def weights(self) -> NDArray[np.float64]:
        """How many images of the source each image that is looked at stands for: (classes,), 1 without a subset."""
        return self.sizes / np.maximum(self.taken, 1)

    def standard_error(self, values: Any, labels: Integers) -> float | None:
        """Return the standard error of the mean over the source that `values`, one an image looked at, estimate.

        Notes
        -----
        Stratified sampling without replacement: the estimate is sum_h W_h mean_h with W_h = N_h / N, and its variance
        sum_h W_h^2 (1 - n_h / N_h) s_h^2 / n_h. N_h images of class h are in the source, n_h are looked at, s_h^2 is
        their variance (divided by n_h - 1), and 1 - n_h / N_h the correction for a finite population: what is looked
        at whole costs nothing. Cochran 1977, "Sampling techniques", section 5.4. None where one image alone stands
        for a class of several: it shows no variance.
        """
        variance, total = 0.0, self.sizes.sum()
        for label, (size, taken) in enumerate(zip(self.sizes.tolist(), self.taken.tolist(), strict=True)):
            if taken == size:
                continue
            if taken < 2:
                return None
            spread = float(np.var(np.asarray(values, np.float64)[labels == label], ddof=1))
            variance += (size / total) ** 2 * (1 - taken / size) * spread / taken
        return variance**0.5


@dataclass(frozen=True)
class Chosen:
    """The rows that are looked at, in their order: (n,) int64; and the classes they come from."""

    rows: Integers
    strata: Strata


def choose(labels: Integers, indices: NDArray[np.uint32], key: int, count: int | None, classes: int) -> Chosen:
    """Choose `count` of the images, or all of them.

    Parameters
    ----------
    labels : (N,) int64
    indices : (N,) uint32, plan indices
    key : 64 bits of the job's seed and source; with the labels they decide alone
    count : of images; None for all

    Raises
    ------
    JobError
        If there are not so many images, or more classes than that.

    Notes
    -----
    Each class gives the first ones of one Philox shuffle, so a smaller subset is part of a larger one.
    """
    sizes = np.bincount(labels, minlength=classes)
    if count is None:
        return Chosen(np.arange(len(labels)), Strata(sizes, sizes))
    present = int((sizes > 0).sum())
    if count > len(labels):
        raise JobError(f"subset is {count:,}: the source has {len(labels):,} images; allowed: up to that, or null")
    if count < present:
        raise JobError(f"subset is {count:,}: the source has {present} classes, and each gives at least one image")
    taken = quotas(sizes, count)
    words = philox.words(key, indices, SUBSET_VIEW, 0, 2).astype(np.uint64)
    order = np.argsort(words[:, 0] << np.uint64(32) | words[:, 1], kind="stable")
    parts = [order[labels[order] == label][:quota] for label, quota in enumerate(taken)]
    return Chosen(np.sort(np.concatenate(parts)), Strata(sizes, taken))


def quotas(sizes: Integers, count: int) -> Integers:
    """Return how many of each class are taken: equally many; what one lacks the others give, the first ones first."""
    taken = np.zeros_like(sizes)
    while left := count - int(taken.sum()):
        open_ones = np.flatnonzero(taken < sizes)
        share = max(1, left // len(open_ones))
        for label in open_ones[:left]:
            taken[label] += min(share, sizes[label] - taken[label])
    return taken

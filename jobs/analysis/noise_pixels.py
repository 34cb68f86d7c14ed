"""Images of which a few random elements are black or white: what sparse perturbations are compared with."""

import numpy as np
from numpy.typing import NDArray

from passband.kernels import cpu

Images = NDArray[np.float32]
Integers = NDArray[np.int64]
ELEMENT_VIEW = 2**32 - 5
"""View number in the address of the random elements.

Of the stage 2 c, word i is the rank of element i of channel c, and of 2 c + 1, word k the sign of the k-th chosen one
by its highest bit. No other stage has this view.
"""


def median_elements(elements: Integers) -> Integers:
    """Return the median over images, rounded half up, of the elements changed in each channel: (N, C) -> (C,)."""
    return np.floor(np.median(elements, axis=0) + 0.5).astype(np.int64)


def with_random_elements(images: Images, counts: Integers, key: int, indices: NDArray[np.uint32]) -> Images:
    """Return images of which random elements are 0 or 1, each as likely.

    Parameters
    ----------
    images : (N, C, H, W) float32
    counts : (C,) int64, elements of each channel
    key : 64 bits of the job's seed and source
    indices : (N,) uint32, plan indices: with the key they decide alone

    Notes
    -----
    The thesis, section 3.3.1: of each channel a random subset as large as SparseFool's median number of elements of
    that channel, each replaced by a random one of {0, 255}.
    """
    noisy = images.copy()
    flat = noisy.reshape(*images.shape[:2], -1)
    rows = np.arange(len(images))[:, None]
    for channel, count in enumerate(counts.tolist()):
        ranks = cpu.words(key, indices, ELEMENT_VIEW, 2 * channel, flat.shape[2])
        chosen = np.argsort(ranks, axis=1, kind="stable")[:, :count]
        signs = cpu.words(key, indices, ELEMENT_VIEW, 2 * channel + 1, max(1, count))[:, :count] >> 31
        flat[rows, channel, chosen] = signs
    return noisy

"""Corruptions by noise: Gaussian, shot and impulse noise, each value by itself.

Formulas: Hendrycks & Dietterich 2019, "Benchmarking neural network robustness to common corruptions and
perturbations", and its public code.
"""

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from passband.pipeline.augment.corruption.tables import Constants
from passband.pipeline.augment.draws import Draws

Images = NDArray[np.float32]


def gaussian_noise(images: Images, constants: Constants, draws: Draws, kernels: ModuleType) -> Images:
    """Add normals; constants: their standard deviation."""
    (scale,) = constants
    address = draws.key, draws.indices, draws.view, draws.stage
    normals = kernels.normals(*address, int(np.prod(images.shape[1:])))
    return kernels.gaussian_noise(images, scale, normals.reshape(images.shape))


def shot_noise(images: Images, constants: Constants, draws: Draws, kernels: ModuleType) -> Images:
    """Count photons, a Poisson number for every value; constants: the mean count of white."""
    (rate,) = constants
    return kernels.shot_noise(images, rate, _words(images, draws, kernels))


def impulse_noise(images: Images, constants: Constants, draws: Draws, kernels: ModuleType) -> Images:
    """Set values to 0 or 1, each as likely; constants: the share that is set."""
    (amount,) = constants
    return kernels.impulse_noise(images, amount, _words(images, draws, kernels))


def _words(images: Images, draws: Draws, kernels: ModuleType) -> NDArray[np.uint32]:
    """Return a word for every value of `images`."""
    address = draws.key, draws.indices, draws.view, draws.stage
    words: NDArray[np.uint32] = kernels.words(*address, int(np.prod(images.shape[1:])))
    return words.reshape(images.shape)


NOISE = {"gaussian_noise": gaussian_noise, "shot_noise": shot_noise, "impulse_noise": impulse_noise}
"""Name -> function, in the order of the paper."""

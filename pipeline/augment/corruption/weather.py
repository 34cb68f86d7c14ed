"""Corruptions by weather: snow, frost, fog, brightness.

Constants, formulas and the order of the steps: Hendrycks & Dietterich 2019, "Benchmarking neural network robustness
to common corruptions and perturbations", and its public code. Layers are rounded to 8 bits on the way only where the
options ask for it.
"""

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from passband.pipeline.augment.corruption.blur import smear
from passband.pipeline.augment.corruption.fractal import fractal
from passband.pipeline.augment.corruption.frost import frost
from passband.pipeline.augment.corruption.levels import rounded, truncated
from passband.pipeline.augment.corruption.masks import LUMA, luma, zoom_grid
from passband.pipeline.augment.corruption.tables import Constants
from passband.pipeline.augment.draws import Draws

Images = NDArray[np.float32]
Layers = NDArray[np.float32]  # (N, 1, H, W)

# Purposes in the address of a draw.
LAYER, ANGLE = 1, 2


def snow(images: Images, constants: Constants, draws: Draws, kernels: ModuleType, *, eight_bit: bool = False) -> Images:
    """Whiten the image and let flakes fall over it, both ways.

    Parameters
    ----------
    images : (N, C, H, W) float32
    constants : mean, deviation, zoom, threshold, radius, sigma, share
        Of the normal noise that flakes are made from; how much it is enlarged and where it is cut; extent and
        deviation in pixels of the half Gaussian that draws flakes out; what stays of the image.
    draws : Draws
    kernels : module
    eight_bit : bool
        Cut flakes to 8 bits before they are drawn out and round them after it, as in the published code.
    """
    mean, deviation, zoom, threshold, radius, sigma, share = constants
    count, _, height, width = images.shape
    at = draws.at(purpose=LAYER)
    flakes = kernels.normals(at.key, at.indices, at.view, at.stage, height * width).reshape(count, 1, height, width)
    flakes = np.float32(deviation) * flakes + np.float32(mean)
    flakes = kernels.resample(flakes, zoom_grid(height, [zoom]), zoom_grid(width, [zoom]))
    flakes = np.where(flakes < np.float32(threshold), np.float32(0), np.minimum(flakes, 1))
    if eight_bit:
        flakes = truncated(flakes)
    half_turns = -0.75 + 0.5 * draws.at(purpose=ANGLE).uniforms(1)[:, 0]  # -135 to -45 degrees
    flakes = smear(flakes, half_turns, radius, sigma, kernels)
    if eight_bit:
        flakes = rounded(flakes, kernels)
    white = np.maximum(images, np.float32(1.5) * gray(images, kernels) + np.float32(0.5))
    out = np.float32(share) * images + np.float32(1 - share) * white
    out += flakes
    out += flakes[:, :, ::-1, ::-1]
    return out


def fog(images: Images, constants: Constants, draws: Draws, kernels: ModuleType) -> Images:
    """Add a fractal haze and scale back to the image's largest value; constants: strength, decay of the fractal."""
    strength, decay = constants
    height, width = images.shape[2:]
    haze = fractal(draws.at(purpose=LAYER), height, width, decay, kernels)
    largest = images.max(axis=(1, 2, 3), keepdims=True)
    return (images + np.float32(strength) * haze) * (largest / (largest + np.float32(strength)))


def brightness(images: Images, constants: Constants, draws: Draws, kernels: ModuleType) -> Images:
    """Raise the value in HSV; constants: the amount."""
    (amount,) = constants
    return kernels.brighten(images, amount)


def gray(images: Images, kernels: ModuleType) -> Layers:
    """Return the luma of colour images, or the mean of other channels: (N, 1, H, W)."""
    if images.shape[1] != 3:
        return images.mean(axis=1, keepdims=True)
    return luma(images, kernels.asarray(LUMA))


WEATHER = {"snow": snow, "frost": frost, "fog": fog, "brightness": brightness}
"""Name -> function, in the order of the paper."""

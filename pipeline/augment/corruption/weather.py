"""Corruptions by weather: snow, frost, fog, brightness.

Constants, formulas and the order of the steps: Hendrycks & Dietterich 2019, "Benchmarking neural network robustness
to common corruptions and perturbations", and its public code. Layers are not rounded to 8 bits on the way, as there.
"""

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from pipeline.augment.corruption.blur import smear
from pipeline.augment.corruption.masks import zoom_grid
from pipeline.augment.corruption.tables import Constants
from pipeline.augment.draws import Draws

Images = NDArray[np.float32]
Layers = NDArray[np.float32]  # (N, 1, H, W)

# Purposes in the address of a draw.
LAYER, ANGLE, CRYSTALS = 1, 2, 3

LUMA = np.array([0.299, 0.587, 0.114], np.float32)[:, None, None]
"""Share of red, green and blue in grey (ITU-R BT.601), as OpenCV has it."""

ICE = np.array([0.87, 0.94, 1.0], np.float32)[:, None, None]
"""Colour of frost: a faint blue."""


def snow(images: Images, constants: Constants, draws: Draws, kernels: ModuleType) -> Images:
    """Whiten the image and let flakes fall over it, both ways.

    Parameters
    ----------
    images : (N, C, H, W) float32
    constants : mean, deviation, zoom, threshold, radius, sigma, share
        Of the normal noise that flakes are made from; how much it is enlarged and where it is cut; extent and
        deviation in pixels of the half Gaussian that draws flakes out; what stays of the image.
    draws : Draws
    kernels : module
    """
    mean, deviation, zoom, threshold, radius, sigma, share = constants
    count, _, height, width = images.shape
    at = draws.at(purpose=LAYER)
    flakes = kernels.normals(at.key, at.indices, at.view, at.stage, height * width).reshape(count, 1, height, width)
    flakes = np.float32(deviation) * flakes + np.float32(mean)
    flakes = kernels.resample(flakes, zoom_grid(height, [zoom]), zoom_grid(width, [zoom]))
    flakes = np.where(flakes < np.float32(threshold), np.float32(0), np.minimum(flakes, 1))
    half_turns = -0.75 + 0.5 * draws.at(purpose=ANGLE).uniforms(1)[:, 0]  # -135 to -45 degrees
    flakes = smear(flakes, half_turns, radius, sigma, kernels)
    white = np.maximum(images, np.float32(1.5) * grey(images, kernels) + np.float32(0.5))
    out = np.float32(share) * images + np.float32(1 - share) * white
    out += flakes
    out += flakes[:, :, ::-1, ::-1]
    return out


def frost(images: Images, constants: Constants, draws: Draws, kernels: ModuleType) -> Images:
    """Lay ice crystals over a dimmed image; constants: share of the image, share of the crystals.

    Notes
    -----
    The published code adds crops of five photographs of frosted windows. We have none to ship: see `frost_texture`.
    """
    share, strength = constants
    _, channels, height, width = images.shape
    crystals = frost_texture(draws, height, width, kernels)
    tint = kernels.asarray(ICE) if channels == 3 else (LUMA * ICE).sum()
    return np.float32(share) * images + np.float32(strength) * tint * crystals


def frost_texture(draws: Draws, height: int, width: int, kernels: ModuleType) -> Layers:
    """Return ice as on a window, made of two fractals: (N, 1, H, W) in [0, 1].

    Notes
    -----
    Crystals are ridges: where a rough fractal passes through its middle, 1 - |2 f - 1| is near 1 along a branching
    line. A smooth fractal says where the ice is thick. The mean is near 0.4, our choice by eye.
    """
    thickness = _fractal(draws.at(purpose=LAYER), height, width, 1.7, kernels)
    ridges = 1 - abs(2 * _fractal(draws.at(purpose=CRYSTALS), height, width, 1.2, kernels) - 1)
    sharp = ridges * ridges
    return (np.float32(0.3) + np.float32(0.7) * sharp * sharp) * (np.float32(0.45) + np.float32(0.55) * thickness)


def fog(images: Images, constants: Constants, draws: Draws, kernels: ModuleType) -> Images:
    """Add a fractal haze and scale back to the image's largest value; constants: strength, decay of the fractal."""
    strength, decay = constants
    height, width = images.shape[2:]
    haze = _fractal(draws.at(purpose=LAYER), height, width, decay, kernels)
    largest = images.max(axis=(1, 2, 3), keepdims=True)
    return (images + np.float32(strength) * haze) * (largest / (largest + np.float32(strength)))


def brightness(images: Images, constants: Constants, draws: Draws, kernels: ModuleType) -> Images:
    """Raise the value in HSV; constants: the amount."""
    (amount,) = constants
    return kernels.brighten(images, amount)


def grey(images: Images, kernels: ModuleType) -> Layers:
    """Return the luma of colour images, or the mean of other channels: (N, 1, H, W)."""
    if images.shape[1] != 3:
        return images.mean(axis=1, keepdims=True)
    weighted = kernels.asarray(LUMA) * images
    return weighted[:, :1] + weighted[:, 1:2] + weighted[:, 2:]


def _fractal(draws: Draws, height: int, width: int, decay: float, kernels: ModuleType) -> Layers:
    """Return a crop of `plasma_fractal` of the least power of two that covers the image: (N, 1, H, W)."""
    size = 1 << max(1, (max(height, width) - 1).bit_length())
    words = kernels.words(draws.key, draws.indices, draws.view, draws.stage, size * size)
    noise = ((words + 0.5) * 2.0**-31 - 1).astype(np.float32).reshape(-1, size, size)
    return kernels.plasma_fractal(noise, decay)[:, None, :height, :width]


WEATHER = {"snow": snow, "frost": frost, "fog": fog, "brightness": brightness}
"""Name -> function, in the order of the paper."""

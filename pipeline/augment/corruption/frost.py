"""Frost: ice crystals laid over a dimmed image.

Formula: Hendrycks & Dietterich 2019, "Benchmarking neural network robustness to common corruptions and
perturbations", and its public code. Its textures are photographs of frosted windows, which we cannot ship; the
texture of this module is drawn, with the brightness, the colour and the contrast of theirs.
"""

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from passband.pipeline.augment.corruption.fractal import fractal
from passband.pipeline.augment.corruption.masks import LUMA
from passband.pipeline.augment.corruption.tables import Constants
from passband.pipeline.augment.draws import Draws

Images = NDArray[np.float32]

# Purposes in the address of a draw.
LAYER, CRYSTALS, LEVEL = 1, 3, 4

COLOR = np.array([0.563, 0.647, 0.694], np.float32)[:, None, None]
"""Mean of the published textures: a faint blue."""
MEAN, REACH = 0.637, 0.25
"""Middle of the levels that textures are drawn at, uniformly, and how far these go to each side."""
CONTRAST, EVEN = 0.0633, 1.25
"""A texture at level l of -1 to 1 has the standard deviation CONTRAST (EVEN - l)^2: 0.12 on average."""


def frost(images: Images, constants: Constants, draws: Draws, kernels: ModuleType) -> Images:
    """Lay drawn ice over a dimmed image; constants: share of the image, share of the ice."""
    share, strength = constants
    _, channels, height, width = images.shape
    ice = frost_texture(draws, channels, height, width, kernels)
    return np.float32(share) * images + np.float32(strength) * ice


def frost_texture(draws: Draws, channels: int, height: int, width: int, kernels: ModuleType) -> Images:
    """Return ice as on a window, made of two fractals: (N, channels, H, W) in [0, 1]; grey unless channels is 3.

    Notes
    -----
    Crystals are ridges: where a rough fractal passes through one of three heights, 1 - |2 frac(3 f) - 1| is near 1
    along a branching line. A smooth fractal says where the ice is thick. Every draw has a level of its own, as every
    photograph has; where the ice is thin on the whole, dark glass shows between crystals, and where it is thick it is
    even.

    Of the crops of the published textures are taken over: the mean of each channel, the standard deviation within a
    crop (0.11 to 0.12) and that of the crops' means (0.15). On photographs the mean over crops of the PSNR to the clean
    image is then within 0.5 dB of theirs at every severity (that of the mean squared error up to 0.9 dB below it). That
    the contrast falls with the level, ridges, and their share against the smooth part are our choice.
    """
    level = 2 * draws.at(purpose=LEVEL).uniforms(1)[:, 0] - 1  # -1 to 1
    middle = _column(MEAN + REACH * level, kernels)
    contrast = _column(CONTRAST * (EVEN - level) * (EVEN - level), kernels)
    ice = (middle + contrast * _structure(draws, height, width, kernels)) * np.float32(1 / COLOR.mean())
    color = kernels.asarray(COLOR) if channels == 3 else (LUMA * COLOR).sum()
    colored = np.clip(ice * color, 0, 1)
    return colored if channels == 3 else colored.repeat(channels, axis=1)


def _structure(draws: Draws, height: int, width: int, kernels: ModuleType) -> Images:
    """Return crystals and thickness of mean 0 and standard deviation 1, nearly, at every size: (N, 1, H, W)."""
    thickness = fractal(draws.at(purpose=LAYER), height, width, 1.7, kernels)
    heights = np.float32(3) * fractal(draws.at(purpose=CRYSTALS), height, width, 1.3, kernels)
    ridges = 1 - abs(2 * (heights - np.floor(heights)) - 1)  # of mean square 1/3: uniform, nearly
    return np.float32(2.9) * (ridges * ridges - np.float32(1 / 3)) + np.float32(3) * (thickness - np.float32(0.5))


def _column(values: NDArray[np.float64], kernels: ModuleType) -> Images:
    """Return (N,) as (N, 1, 1, 1) float32, where the kernels work."""
    column: Images = kernels.asarray(values.astype(np.float32)[:, None, None, None])
    return column

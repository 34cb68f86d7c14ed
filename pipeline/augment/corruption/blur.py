"""Corruptions by blur: defocus, frosted glass, motion, zoom.

Formulas: Hendrycks & Dietterich 2019, "Benchmarking neural network robustness to common corruptions and
perturbations", and its public code, which works on squares; here rows and columns go by their own numbers.
"""

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from passband.pipeline.augment.corruption.levels import rounded, truncated
from passband.pipeline.augment.corruption.masks import (
    disk_taps,
    gaussian_weights,
    half_gaussian_weights,
    line_offsets,
    zoom_factors,
    zoom_grid,
)
from passband.pipeline.augment.corruption.tables import Constants
from passband.pipeline.augment.draws import Draws

Images = NDArray[np.float32]


def defocus_blur(images: Images, constants: Constants, draws: Draws, kernels: ModuleType) -> Images:
    """Average over a disk; constants: its radius and the Gaussian that softens its edge, in pixels."""
    offsets, weights = disk_taps(*constants)
    return kernels.tap_filter(images, offsets[None], weights, "mirror")


def glass_blur(
    images: Images, constants: Constants, draws: Draws, kernels: ModuleType, *, eight_bit: bool = False
) -> Images:
    """Blur, let every pixel take the value of a near one, blur; constants: sigma, reach in pixels, rounds.

    With `eight_bit` values are cut to 8 bits after the first blur, as in the published code; else they are kept.
    """
    sigma, reach, rounds = constants
    blurred = _gaussian(images, sigma, kernels)
    if eight_bit:
        blurred = truncated(blurred)
    count, _, height, width = images.shape
    words = kernels.words(draws.key, draws.indices, draws.view, draws.stage, rounds * height * width)
    blurred = kernels.shuffle_pixels(blurred, words.reshape(count, rounds, height, width), reach)
    del words  # of large images as many bytes as the image
    return _gaussian(blurred, sigma, kernels)


def _gaussian(images: Images, sigma: float, kernels: ModuleType) -> Images:
    """Blur by a Gaussian cut at 4 sigma, the border repeated: the default of skimage.filters.gaussian."""
    radius = int(4 * sigma + 0.5)
    if radius == 0:
        return images
    line, weights = np.arange(-radius, radius + 1), gaussian_weights(sigma, radius)
    columns, rows = (np.stack(pair, axis=-1)[None] for pair in ((0 * line, line), (line, 0 * line)))
    images = kernels.tap_filter(images, columns, weights, "nearest")
    return kernels.tap_filter(images, rows, weights, "nearest")


def motion_blur(
    images: Images, constants: Constants, draws: Draws, kernels: ModuleType, *, eight_bit: bool = False
) -> Images:
    """Smear along a line of a drawn angle, -45 to 45 degrees; constants: radius and sigma in pixels.

    With `eight_bit` the result is rounded to 8 bits, as by ImageMagick, which the published code has do this step.
    """
    radius, sigma = constants
    smeared = smear(images, (draws.uniforms(1)[:, 0] - 0.5) / 2, radius, sigma, kernels)
    return rounded(smeared, kernels) if eight_bit else smeared


def smear(images: Images, half_turns: NDArray[np.float64], radius: int, sigma: float, kernels: ModuleType) -> Images:
    """Average over the line that starts at each pixel, weighted by half a Gaussian, the border repeated.

    Parameters
    ----------
    images : (N, C, H, W) float32
    half_turns : (N,)
        Direction of each sample's line; see `masks.line_offsets`.
    radius, sigma : int, float, pixels
        The line has 2 radius + 1 pixels, the first of which is the pixel itself.
    kernels : module

    Returns
    -------
    (N, C, H, W) float32

    Notes
    -----
    ImageMagick's MotionBlurImage, which the published code calls, smears to one side only.
    """
    count = 2 * radius + 1
    return kernels.tap_filter(images, line_offsets(half_turns, count), half_gaussian_weights(sigma, count), "nearest")


def zoom_blur(images: Images, constants: Constants, draws: Draws, kernels: ModuleType) -> Images:
    """Average the image and its enlargements; constants: their factors in percent, 100 among them."""
    rows, columns = (zoom_grid(size, (1.0, *zoom_factors(constants))) for size in images.shape[2:])
    return kernels.resample(images, rows, columns)


BLUR = {"defocus_blur": defocus_blur, "glass_blur": glass_blur, "motion_blur": motion_blur, "zoom_blur": zoom_blur}
"""Name -> function, in the order of the paper."""

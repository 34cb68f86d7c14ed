"""The operations that AugMix chains, on uint8 tensors: those of torchvision's `v2.AugMix` that overlap no corruption.

Imports torch: the stage imports this module when it is applied, not before.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.transforms.v2 import functional

from passband.pipeline.augment.augmix_names import BINS, OPERATIONS
from passband.pipeline.augment.augmix_warps import rotated, sheared, shifted
from passband.pipeline.augment.base import LARGE

Tensor = Any  # torch.Tensor; mypy does not follow torch


_APPLY: dict[str, Callable[[Tensor, float], Tensor]] = {
    "shear_x": lambda image, m: sheared(image, x=m),
    "shear_y": lambda image, m: sheared(image, y=m),
    "translate_x": lambda image, m: shifted(image, x=int(m)),
    "translate_y": lambda image, m: shifted(image, y=int(m)),
    "rotate": rotated,
    "posterize": lambda image, m: functional.posterize(image, bits=int(m)),
    "solarize": lambda image, m: functional.solarize(image, threshold=255 * m),
    "autocontrast": lambda image, m: functional.autocontrast(image),
    "equalize": lambda image, m: functional.equalize(image),
}


def magnitude_table(height: int, width: int) -> NDArray[np.float64]:
    """Return the magnitude of every operation in every bin, (9, 10) float64: torchvision's float32 steps, exactly.

    Slopes, pixels, degrees, bits, and the threshold as a share of 255; NaN for operations without one.
    """
    steps = {
        "shear_x": torch.linspace(0.0, 0.3, BINS),
        "shear_y": torch.linspace(0.0, 0.3, BINS),
        "translate_x": torch.linspace(0.0, width / 3.0, BINS),
        "translate_y": torch.linspace(0.0, height / 3.0, BINS),
        "rotate": torch.linspace(0.0, 30.0, BINS),
        "posterize": (4 - torch.arange(BINS) / ((BINS - 1) / 4)).round(),
        "solarize": torch.linspace(1.0, 0.0, BINS),
    }
    none = torch.full((BINS,), math.nan)
    return np.stack([steps.get(name, none).numpy().astype(np.float64) for name in OPERATIONS])


def mix_chains(
    pixels: NDArray[np.uint8],
    operations: NDArray[np.integer],
    magnitudes: NDArray[np.float64],
    weights: NDArray[np.float32],
) -> NDArray[np.uint8]:
    """Return one image mixed with its chains, cut to whole numbers as torchvision does.

    Parameters
    ----------
    pixels : (C, H, W) uint8
    operations : (M, S) int
        Places in `OPERATIONS` plus 1; 0 = none.
    magnitudes : (M, S)
    weights : (M + 1,) float32
        Of the image, then of each chain.

    Returns
    -------
    (C, H, W) uint8
    """
    if pixels[0].size > LARGE and len(pixels) > 1:  # every operation takes channels for themselves
        channels = [mix_chains(channel[None], operations, magnitudes, weights) for channel in pixels]
        return np.concatenate(channels)
    image = torch.from_numpy(np.ascontiguousarray(pixels))[None]
    shares = torch.from_numpy(weights)
    mixed = shares[0] * image
    for chain, strengths, share in zip(operations, magnitudes, shares[1:], strict=True):
        branch = image
        for number, magnitude in zip(chain[chain > 0], strengths[chain > 0], strict=True):
            branch = _APPLY[OPERATIONS[number - 1]](branch, float(magnitude))
        mixed += share * branch
    return mixed[0].to(torch.uint8).numpy()

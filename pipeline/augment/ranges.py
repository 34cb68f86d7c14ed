"""How images that have left [0, 1] are stored: the `range` option of every filter stage."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from passband.pipeline.augment.base import StageOptions

Range = Literal["clip", "shift", "minmax", "float"]
Images = NDArray[np.float32]

FLAT = np.float32(2**-16)
"""An image that spans at most this, a 1/257 of a grey level, is constant: what varies is the rounding of the filter."""


class RangeOptions(StageOptions):
    """Options of a stage whose result may leave [0, 1]; the default of `range` is filled in."""

    range: Range | None = Field(
        default=None,
        description="clip | shift (+ 0.5, then clip) | minmax (per image, to [0, 1]) | float (float16, as it is); "
        "default: clip if zero frequency is kept, else minmax",
    )

    @property
    def keeps_zero_frequency(self) -> bool:
        """Whether the filter keeps zero frequency, so that the result still has the brightness of an image."""
        return False

    @model_validator(mode="after")
    def _resolve_range(self) -> "RangeOptions":
        if self.range is None:
            kind = "clip" if self.keeps_zero_frequency else "minmax"
            object.__setattr__(self, "range", kind)  # frozen for all others
        return self


def to_range(images: Images, kind: Range) -> Images:
    """Bring filtered images into the range that is stored.

    Parameters
    ----------
    images : (N, C, H, W) float32; overwritten
    kind : "clip", "shift", "minmax" or "float"

    Returns
    -------
    (N, C, H, W) float32, in [0, 1] unless `kind` is "float"; NaN stays NaN

    Notes
    -----
    "minmax" is over all channels of an image ("normalized to have the standard pixel scale", Wang et al. 2020,
    section 4.2; METHODS 1.6); an image that spans no more than `FLAT` becomes 0.
    """
    if kind == "float":
        return images
    if kind == "minmax":
        return _minmax(images)
    if kind == "shift":
        images += np.float32(0.5)
    return np.clip(images, 0, 1, out=images)


def _minmax(images: Images) -> Images:
    axes = (1, 2, 3)
    least = images.min(axis=axes, keepdims=True)
    span = images.max(axis=axes, keepdims=True) - least
    flat = span <= FLAT  # false for NaN, which must come out as NaN
    images -= least
    images /= np.where(flat, np.float32(np.inf), span)  # 0 where it is flat; by index a device would have to wait
    return images

"""Images that a study keeps, as thumbnails of the page."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from passband.jobs.drawing.thumbnails import Thumbnail

_SMALLEST = 96
"""CSS pixels that an example has at least."""


def to_picture(pixels: NDArray[np.uint8]) -> Image.Image:
    """Return pixels, (H, W, 1) or (H, W, 3), as a picture."""
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def thumbnail_of(view: str, uri: str, pixels: NDArray[np.uint8]) -> Thumbnail:
    """Return the picture of `pixels`, whose address is `uri`, enlarged by a whole number where it is small."""
    height, width = pixels.shape[:2]
    scale = max(1, -(-_SMALLEST // max(height, width)))
    return Thumbnail(view, uri, width * scale, height * scale)

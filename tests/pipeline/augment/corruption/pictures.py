"""Real crops to corrupt, and one corruption by itself."""

from functools import cache

import numpy as np
import skimage.data
from PIL import Image

from passband.kernels import backend
from passband.pipeline.augment import Draws
from passband.pipeline.augment.corruption import Corrupt

PHOTOS = ("astronaut", "chelsea", "coffee", "cat", "rocket", "retina")
KEY = 0x452821E638D01377


@cache
def crops(count: int, size: int) -> np.ndarray:
    """Return (count, 3, size, size) float32: photos scaled to twice the size, then cut at different places."""
    rng, images = np.random.default_rng(size), []
    for number in range(count):
        photo = _photo(PHOTOS[number % len(PHOTOS)], 2 * size)
        y, x = rng.integers(0, size, 2)
        images.append(photo[y : y + size, x : x + size])
    cut = (np.stack(images).transpose(0, 3, 1, 2) / 255).astype(np.float32)
    cut.flags.writeable = False
    return cut


@cache
def _photo(name: str, side: int) -> np.ndarray:
    photo = Image.fromarray(getattr(skimage.data, name)()).convert("RGB")
    return np.asarray(photo.resize((side, side), Image.Resampling.BILINEAR))


def flat(count: int, size: int, level: float) -> np.ndarray:
    """Return constant images, (count, 3, size, size) float32."""
    return np.full((count, 3, size, size), level, np.float32)


def draws(count: int, first: int = 0) -> Draws:
    """Return the streams of `count` samples."""
    return Draws(KEY, np.arange(first, first + count, dtype=np.uint32), view=1).at(position=1)


def stage(shape, **options) -> Corrupt:
    """Return the stage `corrupt` for images of `shape`."""
    return Corrupt(Corrupt.Options.model_validate(options), shape=shape, kernels=backend("cpu"))


def corrupt(images: np.ndarray, name: str, severity: int, table: str | None = None) -> np.ndarray:
    """Return images with one corruption at one severity."""
    made = stage(images.shape[1:], types=name, severity=severity, table=table)
    return made.apply(images, np.zeros(len(images), np.int64), draws(len(images))).images

"""Frost from photographs of frosted windows that a user has, in place of the drawn ice.

Formula and scales: the public code of Hendrycks & Dietterich 2019, "Benchmarking neural network robustness to common
corruptions and perturbations".
"""

import hashlib
from collections.abc import Mapping
from types import ModuleType
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from passband.pipeline.augment.corruption.masks import luma
from passband.pipeline.augment.corruption.tables import Constants
from passband.pipeline.augment.draws import Draws
from passband.pipeline.corruptions import TableName
from passband.pipeline.images import BadImage, native_pixels, open_image

Images = NDArray[np.float32]
Pixels = NDArray[np.uint8]
Integers = NDArray[np.int64]

SCALES: dict[TableName, float] = {"cifar": 0.2, "tiny": 0.3, "imagenet": 1.0}
"""Table -> what the published code scales a photograph by before it is cut."""
PLACE = 5
"""Purpose in the address of the words that choose photograph, row and column."""


class FrostTextures:
    """Photographs to cut crops from; `frost` is the corruption.

    Parameters
    ----------
    contents : name -> image file
        Each is drawn as often as the others; by their order, which is that of the names, words of a draw mean them.
    scale : float
        See `SCALES`.
    height, width : int
        Of the images.

    Raises
    ------
    ValueError
        If one is no image, or smaller than the images once it is scaled; names them.

    Notes
    -----
    The published code draws one of frost1 to frost5 of its six files; a folder without frost6.jpg does the same. It
    scales without smoothing, each pixel from its nearest four, and rounds to 8 bits; the last row and column that a
    crop could begin at are never drawn.
    """

    def __init__(self, contents: Mapping[str, bytes], scale: float, height: int, width: int) -> None:
        self._size = height, width
        self.textures = [_read(name, contents[name], scale) for name in sorted(contents)]
        small = [
            f"{name} is {texture.shape[0]}x{texture.shape[1]}"
            for name, texture in zip(sorted(contents), self.textures, strict=True)
            if texture.shape[0] < height or texture.shape[1] < width
        ]
        if small:
            scaled = "" if scale == 1 else f" once scaled by {scale}"
            raise ValueError(f"frost_textures: {', '.join(small)}{scaled}; images are {height}x{width}")

    def frost(self, images: Images, constants: Constants, draws: Draws, kernels: ModuleType) -> Images:
        """Add to a dimmed image a crop of a photograph; constants: share of the image, share of the photograph."""
        share, strength = constants
        crops = kernels.asarray(self.crops(draws, images.shape[1]))
        return np.float32(share) * images + np.float32(strength) * crops

    def crops(self, draws: Draws, channels: int) -> Images:
        """Return the crop that each sample draws: (N, channels, H, W) in [0, 1]; grey unless channels is 3."""
        height, width = self._size
        cut = np.empty((len(draws.indices), 3, height, width), np.float32)
        for row, (which, down, across) in enumerate(draws.at(purpose=PLACE).words(3)):
            texture = self.textures[_below(which, len(self.textures))]
            y = _below(down, max(1, texture.shape[0] - height))
            x = _below(across, max(1, texture.shape[1] - width))
            cut[row] = texture[y : y + height, x : x + width].transpose(2, 0, 1)
        cut /= np.float32(255)
        return cut if channels == 3 else luma(cut).repeat(channels, axis=1)


def _below(word: np.uint32, count: int) -> int:
    """Return a number of 0 to count - 1."""
    return int(word) * count >> 32


_held: WeakValueDictionary[tuple[bytes, float], Pixels] = WeakValueDictionary()
"""What stages hold of photographs, by sha256 and scale: those of several views share it, and it goes with the last."""


def _read(name: str, content: bytes, scale: float) -> Pixels:
    key = hashlib.sha256(content).digest(), scale
    found = _held.get(key)
    if found is None:
        found = _held[key] = _decoded(name, content, scale)
    return found


def _decoded(name: str, content: bytes, scale: float) -> Pixels:
    try:
        pixels = native_pixels(open_image(content))
    except BadImage as error:
        raise ValueError(f"frost_textures: {name}: {error.reason}") from error
    found = pixels if scale == 1 else scaled(pixels, scale)
    found.flags.writeable = False
    return found


def scaled(pixels: Pixels, scale: float) -> Pixels:
    """Return (H, W, 3) pixels as OpenCV's bilinear resize of 8 bits makes them: weights have 11 bits, rows come first.

    Notes
    -----
    A sum of two products along a line has 19 bits, of which 15 go on; halves are rounded up at the very end.
    """
    (top, bottom, down), (left, right, across) = (_neighbors(side, scale) for side in pixels.shape[:2])
    wide = pixels.astype(np.int64)
    lines = (wide[:, left] * across[0][:, None] + wide[:, right] * across[1][:, None]) >> 4
    above, below = ((weights[:, None, None] * lines[at]) >> 16 for at, weights in ((top, down[0]), (bottom, down[1])))
    return ((above + below + 2) >> 2).astype(np.uint8)


def _neighbors(side: int, scale: float) -> tuple[Integers, Integers, tuple[Integers, Integers]]:
    """Return for each pixel of a scaled line the two that its place lies between, and their weights of 2^11."""
    place = np.clip((np.arange(max(1, round(side * scale))) + 0.5) / scale - 0.5, 0, side - 1)
    before = np.floor(place).astype(np.int64)
    share = (place - before).astype(np.float32)
    first, second = (np.rint(weight * 2048).astype(np.int64) for weight in (1 - share, share))
    return before, np.minimum(before + 1, side - 1), (first, second)

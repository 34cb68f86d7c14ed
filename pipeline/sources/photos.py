"""Source ``photos``: square crops of the photographs that scikit-image and scikit-learn carry.

From each photograph the central region of at most 512 x 512 pixels is cut into a grid of tiles; a tile is a sample
and the photograph is its class. Tiles do not overlap, so no pixel is in train and in test: every fifth tile of a
photograph, row by row, is test. Beyond 128 pixels some have fewer than five, and none in test.
"""

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from passband.pipeline.images import BadImage, native_pixels, open_image
from passband.pipeline.sources.base import Entry, Source, SourceError
from passband.pipeline.sources.packaged import SplitOptions, packaged_file, split_rows
from passband.pipeline.sources.regular import image_content

PHOTOGRAPHS = {
    "astronaut": ("skimage", "data", "astronaut.png"),
    "brick": ("skimage", "data", "brick.png"),
    "camera": ("skimage", "data", "camera.png"),
    "cell": ("skimage", "data", "cell.png"),
    "chelsea": ("skimage", "data", "chelsea.png"),
    "china": ("sklearn", "datasets", "images", "china.jpg"),
    "clock_motion": ("skimage", "data", "clock_motion.png"),
    "coffee": ("skimage", "data", "coffee.png"),
    "coins": ("skimage", "data", "coins.png"),
    "flower": ("sklearn", "datasets", "images", "flower.jpg"),
    "grass": ("skimage", "data", "grass.png"),
    "gravel": ("skimage", "data", "gravel.png"),
    "hubble_deep_field": ("skimage", "data", "hubble_deep_field.jpg"),
    "ihc": ("skimage", "data", "ihc.png"),
    "moon": ("skimage", "data", "moon.png"),
    "motorcycle_left": ("skimage", "data", "motorcycle_left.png"),  # the right one shows the same scene
    "retina": ("skimage", "data", "retina.jpg"),
    "rocket": ("skimage", "data", "rocket.jpg"),
}
"""Class name -> where its photograph lies; drawings, scanned text and images below 300 pixels are left out."""
_REGION = 512


class PhotosOptions(SplitOptions):
    """Options of ``photos``."""

    crop: int = Field(
        64, ge=32, le=300, description="side of the square crops in pixels, 32..300; beyond 128 some have no test crop"
    )


@cache
def region(name: str) -> NDArray[np.uint8]:
    """Return the central region of a photograph: (H, W, 3), at most 512 x 512; all of them together are 12 MB."""
    package, *parts = PHOTOGRAPHS[name]
    path = packaged_file("photos", package, *parts)
    try:
        pixels = native_pixels(open_image(image_content("photos", path, path.name)))
    except BadImage as error:
        raise SourceError(
            f"source photos: {path.name} of the package {package!r} is no image: {error.reason}"
        ) from error
    top, left = (max(0, side - _REGION) // 2 for side in pixels.shape[:2])
    return pixels[top : top + _REGION, left : left + _REGION].copy()


class Photos(Source):
    """Crops of 18 photographs, one class each.

    The encoded form of a crop is its raw RGB bytes, row by row. Keys are the same in every split; the same key names
    other pixels under another `crop`.
    """

    kind = "photos"
    Options = PhotosOptions
    options: PhotosOptions

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the photographs, sorted."""
        return tuple(PHOTOGRAPHS)

    def entries(self) -> Iterator[Entry]:
        """List the tiles of each photograph, row by row."""
        crop = self.options.crop
        for label, name in enumerate(PHOTOGRAPHS):
            height, width, _ = region(name).shape
            tiles = np.zeros((height // crop) * (width // crop), np.uint8)
            for tile in split_rows(tiles, self.options.split).tolist():
                yield Entry(f"photos/{name}/{tile:05d}", label, tile)

    def read(self, entries: Sequence[Entry]) -> list[bytes]:
        """Return 3 * crop^2 bytes a tile."""
        return [self._tile(entry) for entry in entries]

    def _tile(self, entry: Entry) -> bytes:
        name = entry.key.split("/")[1]
        if name not in PHOTOGRAPHS:
            raise SourceError(f"source photos has no photograph {name!r}")
        crop, pixels = self.options.crop, region(name)
        row, column = divmod(entry.offset, pixels.shape[1] // crop)
        return pixels[row * crop :, column * crop :][:crop, :crop].tobytes()

    def decode(self, encoded: bytes) -> Image.Image:
        """Return a crop as an RGB image."""
        crop = self.options.crop
        if len(encoded) != 3 * crop * crop:
            raise BadImage(f"{len(encoded)} bytes instead of {3 * crop * crop}")
        return Image.frombytes("RGB", (crop, crop), encoded)

    def image_size(self, encoded: bytes) -> tuple[int, int]:
        """Return the size of a crop (H, W)."""
        return self.options.crop, self.options.crop

"""Sources ``cifar10c`` and ``cifar100c``: CIFAR-10-C and CIFAR-100-C as published (Hendrycks & Dietterich 2019).

``CORRUPTION.npy`` holds 5 N images, uint8 (5 N, 32, 32, 3), those of severity 1 first; ``labels.npy`` their 5 N labels.
N is 10,000: the test images of CIFAR-10 or CIFAR-100, in their order. The labels of the latter are the fine ones.
"""

import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from passband.pipeline.corruptions import SEVERITIES, Name
from passband.pipeline.images import BadImage
from passband.pipeline.sources.base import Entry, Source, SourceError, SourceOptions
from passband.pipeline.sources.limits import said
from passband.pipeline.sources.local import existing_path
from passband.pipeline.sources.regular import opened, small_content

_SIDE = 32
_IMAGE_BYTES = _SIDE * _SIDE * 3
_LABELS = "labels.npy"
_MAX_LABELS_BYTES = 10**7
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
"""Of CIFAR-10, as its own ``batches.meta`` names them; CIFAR-10-C has no such file."""
CLASSES_100 = tuple(
    """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
    caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant
    flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree
    motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate
    poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider
    squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
    wardrobe whale willow_tree wolf woman worm
    """.split()
)
"""The fine ones of CIFAR-100, as its own ``meta`` names them."""


class Cifar10cOptions(SourceOptions):
    """Options of ``cifar10c`` and ``cifar100c``."""

    path: str = Field(description="folder that holds labels.npy and a file for each corruption: the published one")
    corruption: Name | Literal["gaussian_blur", "saturate", "spatter", "speckle_noise"] = Field(
        description="name of a corruption: its images are in CORRUPTION.npy"
    )
    severity: int = Field(ge=1, le=SEVERITIES, description="which fifth of the file is read")


@dataclass(frozen=True)
class _Pixels:
    """Images in a file: how many, and where the first one begins."""

    count: int
    offset: int


class Cifar10c(Source):
    """One corruption of CIFAR-10's test images at one severity; the encoded form of one is its 3,072 bytes, row by row.

    The keys are the same for every corruption and severity, so that all show the same images in the same order.
    """

    kind = "cifar10c"
    Options = Cifar10cOptions
    options: Cifar10cOptions
    names: ClassVar[tuple[str, ...]] = CLASSES

    def __init__(self, options: Cifar10cOptions) -> None:
        super().__init__(options)
        self._root = existing_path(self.kind, options.path, folder=True)
        self._file = f"{options.corruption}.npy"

    @property
    def paths(self) -> tuple[str, ...]:
        """The folder."""
        return (os.fspath(self._root),)

    @property
    def classes(self) -> tuple[str, ...]:
        """Those of the originals."""
        return self.names

    def entries(self) -> Iterator[Entry]:
        """List the images of the severity; an entry's offset is where its pixels start."""
        pixels, labels = self._pixels(), self._labels()
        if len(labels) != pixels.count:
            raise SourceError(
                f"source {self.kind}: {_LABELS} has {len(labels):,} labels, and {self._file} {pixels.count:,} images"
            )
        number = pixels.count // SEVERITIES
        first = (self.options.severity - 1) * number
        for row, label in enumerate(labels[first : first + number].tolist()):
            if not 0 <= label < len(self.names):
                raise SourceError(f"source {self.kind}: label {first + row} of {_LABELS} is {label}, which is no class")
            yield Entry(f"{self.kind}/{row:05d}", label, pixels.offset + (first + row) * _IMAGE_BYTES)

    def read(self, entries: Sequence[Entry]) -> list[bytes]:
        """Return 3,072 bytes an image."""
        with opened(self.kind, self._root / self._file, self._file) as descriptor:
            return [os.pread(descriptor, _IMAGE_BYTES, entry.offset) for entry in entries]

    def decode(self, encoded: bytes) -> Image.Image:
        """Return a 32x32 RGB image."""
        if len(encoded) != _IMAGE_BYTES:
            raise BadImage(f"{len(encoded)} bytes instead of {_IMAGE_BYTES}")
        return Image.frombytes("RGB", (_SIDE, _SIDE), encoded)

    def image_size(self, encoded: bytes) -> tuple[int, int]:
        """Return the one size (H, W)."""
        return _SIDE, _SIDE

    def _pixels(self) -> _Pixels:
        with opened(self.kind, self._root / self._file, self._file) as descriptor:
            with os.fdopen(os.dup(descriptor), "rb") as file:
                shape, in_columns, dtype = self._header(file)
                offset, num_bytes = file.tell(), os.fstat(descriptor).st_size
        count = shape[0] if shape else 0
        if shape != (count, _SIDE, _SIDE, 3) or dtype != np.uint8 or in_columns:
            raise SourceError(
                f"source {self.kind}: {self._file} holds {dtype} of the shape {shape}; "
                f"uint8 (5 N, {_SIDE}, {_SIDE}, 3) in C order is needed"
            )
        if not count or count % SEVERITIES:
            raise SourceError(
                f"source {self.kind}: {self._file} holds {count:,} images, which are no {SEVERITIES} parts"
            )
        if num_bytes != offset + count * _IMAGE_BYTES:
            raise SourceError(
                f"source {self.kind}: {self._file} is truncated, or has changed: it has {num_bytes:,} bytes"
            )
        return _Pixels(count, offset)

    def _header(self, file: io.BufferedReader) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
        try:
            version = npy.read_magic(file)
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            return read(file)
        except ValueError as error:
            raise SourceError(f"source {self.kind}: {self._file} is damaged, or no .npy file: {said(error)}") from error

    def _labels(self) -> NDArray[np.integer]:
        content = small_content(self.kind, self._root / _LABELS, _LABELS, _MAX_LABELS_BYTES)
        try:
            labels = np.load(io.BytesIO(content), allow_pickle=False)
        except (ValueError, EOFError, OSError) as error:
            raise SourceError(f"source {self.kind}: {_LABELS} is damaged, or no .npy file: {said(error)}") from error
        if not isinstance(labels, np.ndarray) or labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
            raise SourceError(f"source {self.kind}: {_LABELS} holds no row of integers")
        return labels


class Cifar100c(Cifar10c):
    """One corruption of CIFAR-100's test images at one severity, with their fine labels."""

    kind = "cifar100c"
    names = CLASSES_100

    def _labels(self) -> NDArray[np.integer]:
        labels = super()._labels()
        if labels.size and labels.max() < len(CLASSES):
            raise SourceError(
                f"source {self.kind}: no label of {_LABELS} is above {len(CLASSES) - 1}, as in CIFAR-10-C, which the "
                "kind cifar10c reads"
            )
        return labels

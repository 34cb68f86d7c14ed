"""Images that installed packages carry: where they lie, and how they are split. Nothing is downloaded."""

import gzip
import importlib.util
import zlib
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from passband.pipeline.images import BadImage
from passband.pipeline.sources.base import Entry, Source, SourceError, SourceOptions
from passband.pipeline.sources.limits import said

Split = Literal["train", "test", "all"]
Pixels = NDArray[np.uint8]


class SplitOptions(SourceOptions):
    """Options of a source that we split ourselves."""

    split: Split = Field("train", description="train, test (every fifth sample of each class, in source order) or all")


def packaged_file(kind: str, package: str, *parts: str) -> Path:
    """Return the path of a file inside an installed package, without importing the package.

    Raises
    ------
    SourceError
        The package or the file is not installed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SourceError(
            f"source {kind} reads files of the package {package!r}, which is not installed: "
            "install Passband with its extra 'samples'"
        )
    path = Path(next(iter(spec.submodule_search_locations)), *parts)
    if not path.is_file():
        raise SourceError(f"source {kind} needs {'/'.join(parts)} of the package {package!r}; this version lacks it")
    return path


def read_table(kind: str, path: Path, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Read a gzipped table of integers 0..255, comma-separated, one row a line.

    Raises
    ------
    SourceError
        The table has another shape.
    """
    text = _unpacked(kind, path, 4 * shape[0] * shape[1]).strip().replace(b"\n", b",")
    table = np.fromstring(text, np.int32, sep=",")  # 0.1 s for 9 MB, where loadtxt takes many
    if table.size and table.max() > 255:
        raise SourceError(f"source {kind}: {path.name} holds the number {table.max()}, above 255")
    if table.size != shape[0] * shape[1]:
        raise SourceError(f"source {kind}: {path.name} holds {table.size} numbers, not {shape[0]} rows of {shape[1]}")
    return table.astype(np.uint8).reshape(shape)


def _unpacked(kind: str, path: Path, most: int) -> bytes:
    """Return the content of a gzip file; SourceError where it is damaged or unpacks to more than `most` bytes."""
    try:
        with gzip.open(path) as file:
            text = file.read(most + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(f"source {kind}: {path.name} is damaged: {said(error)}") from error
    if len(text) > most or text.translate(None, b"0123456789,\n"):
        raise SourceError(f"source {kind}: {path.name} holds more than {most:,} bytes, or what is no number")
    return text


def fifths(labels: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Mark the 5th, 10th, 15th ... sample of each class, in source order: these are the test split."""
    test = np.zeros(len(labels), np.bool_)
    for label in np.unique(labels):
        test[np.flatnonzero(labels == label)[4::5]] = True
    return test


def split_rows(labels: NDArray[np.integer], split: Split) -> NDArray[np.intp]:
    """Return the rows of a split, ascending."""
    if split == "all":
        return np.arange(len(labels))
    return np.flatnonzero(fifths(labels) == (split == "test"))


def row_entries(kind: str, labels: NDArray[np.integer], split: Split) -> Iterator[Entry]:
    """List the rows of a split under keys such as ``mnist5k/00042``, the same in every split."""
    for row in split_rows(labels, split).tolist():
        yield Entry(f"{kind}/{row:05d}", int(labels[row]), row)


class PackagedDigits(Source):
    """Square grey digits in ten classes, from one table of a package; the encoded form of one is its raw bytes."""

    Options = SplitOptions
    options: SplitOptions
    side: ClassVar[int]

    @abstractmethod
    def table(self) -> tuple[Pixels, Pixels]:
        """Return the pixels, (n, side * side), and the labels, (n,), in the package's order."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The ten digits."""
        return tuple("0123456789")

    def entries(self) -> Iterator[Entry]:
        """List the digits of the split in the package's order."""
        return row_entries(self.kind, self.table()[1], self.options.split)

    def read(self, entries: Sequence[Entry]) -> list[bytes]:
        """Return side * side bytes a digit."""
        pixels, _ = self.table()
        return [pixels[entry.offset].tobytes() for entry in entries]

    def decode(self, encoded: bytes) -> Image.Image:
        """Return an RGB image of `side` pixels a side."""
        if len(encoded) != self.side * self.side:
            raise BadImage(f"{len(encoded)} bytes instead of {self.side * self.side}")
        return Image.frombytes("L", (self.side, self.side), encoded).convert("RGB")

    def image_size(self, encoded: bytes) -> tuple[int, int]:
        """Return the one size (H, W)."""
        return self.side, self.side

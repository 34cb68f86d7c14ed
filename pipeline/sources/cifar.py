"""Sources ``cifar10`` and ``cifar100``: the published binary files, from a local folder.

A record is its label bytes (CIFAR-10: the class; CIFAR-100: the coarse, then the fine class) and 3,072 bytes of
pixels: 32 rows of red, then green, then blue.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from PIL import Image
from pydantic import Field

from pipeline.images import BadImage
from pipeline.sources.base import Entry, Source, SourceError, SourceOptions
from pipeline.sources.local import existing_path

_PIXELS = 3 * 32 * 32


class CifarOptions(SourceOptions):
    """Options of ``cifar10``."""

    path: str = Field(description="folder that holds the files of the binary version, such as cifar-10-batches-bin")
    split: Literal["train", "test", "all"] = Field("train", description="train, test or all, as published")


class Cifar100Options(CifarOptions):
    """Options of ``cifar100``."""

    labels: Literal["fine", "coarse"] = Field("fine", description="fine (100 classes) or coarse (20 superclasses)")


class Cifar10(Source):
    """60,000 images of 32x32 in 10 classes; the encoded form of one is its 3,072 bytes, plane by plane."""

    kind = "cifar10"
    Options: ClassVar[type[SourceOptions]] = CifarOptions
    options: CifarOptions
    label_bytes: ClassVar[int] = 1
    files: ClassVar[dict[str, tuple[str, ...]]] = {
        "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
        "test": ("test_batch.bin",),
    }

    def __init__(self, options: CifarOptions) -> None:
        super().__init__(options)
        self._root = existing_path(self.kind, options.path, folder=True)

    @property
    def paths(self) -> tuple[str, ...]:
        """The folder."""
        return (os.fspath(self._root),)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names from the published list beside the data."""
        return self._names("batches.meta.txt", 10)

    @property
    def label_position(self) -> int:
        """Which byte of a record is the label."""
        return 0

    def entries(self) -> Iterator[Entry]:
        """List the records file by file; an entry's offset is where its pixels start."""
        count, stride = len(self.classes), self.label_bytes + _PIXELS
        splits = ("train", "test") if self.options.split == "all" else (self.options.split,)
        for path in [self._file(name) for split in splits for name in self.files[split]]:
            labels = np.memmap(path, np.uint8, "r").reshape(-1, stride)[:, self.label_position].copy()
            for row, label in enumerate(labels.tolist()):
                if label >= count:
                    raise SourceError(f"source {self.kind}: record {row} of {path.name} has label {label}")
                yield Entry(f"{self.kind}/{path.stem}/{row:05d}", label, row * stride + self.label_bytes)

    def read(self, entries: Sequence[Entry]) -> list[bytes]:
        """Return 3,072 bytes an image."""
        found = [b""] * len(entries)
        for stem in sorted({entry.key.split("/")[1] for entry in entries}):
            with self._file(f"{stem}.bin").open("rb", buffering=0) as file:
                for position, entry in enumerate(entries):
                    if entry.key.split("/")[1] == stem:
                        found[position] = os.pread(file.fileno(), _PIXELS, entry.offset)
        return found

    def decode(self, encoded: bytes) -> Image.Image:
        """Return a 32x32 RGB image."""
        if len(encoded) != _PIXELS:
            raise BadImage(f"{len(encoded)} bytes instead of {_PIXELS}")
        planes = np.frombuffer(encoded, np.uint8).reshape(3, 32, 32)
        return Image.fromarray(np.ascontiguousarray(planes.transpose(1, 2, 0)))

    def _file(self, name: str) -> Path:
        path = self._root / name
        if not path.is_file():
            raise SourceError(f"source {self.kind}: {self.options.path!r} lacks the file {name}")
        stride = self.label_bytes + _PIXELS
        if name.endswith(".bin") and (path.stat().st_size == 0 or path.stat().st_size % stride):
            raise SourceError(
                f"source {self.kind}: {name} has {path.stat().st_size} bytes, not a multiple of {stride}: "
                "it is truncated, or not of the binary version"
            )
        return path

    def _names(self, name: str, count: int) -> tuple[str, ...]:
        names = tuple(self._file(name).read_text(encoding="utf-8").split())
        if len(names) != count:
            raise SourceError(f"source {self.kind}: {name} holds {len(names)} class names, not {count}")
        return names


class Cifar100(Cifar10):
    """60,000 images of 32x32 in 100 classes or 20 superclasses."""

    kind = "cifar100"
    Options = Cifar100Options
    options: Cifar100Options
    label_bytes = 2
    files: ClassVar[dict[str, tuple[str, ...]]] = {"train": ("train.bin",), "test": ("test.bin",)}

    @property
    def classes(self) -> tuple[str, ...]:
        """Names from the published list beside the data."""
        fine = self.options.labels == "fine"
        return self._names("fine_label_names.txt", 100) if fine else self._names("coarse_label_names.txt", 20)

    @property
    def label_position(self) -> int:
        """Which byte of a record is the label: coarse stands first."""
        return 1 if self.options.labels == "fine" else 0
